#include "penstock/core/handler.h"

namespace penstock {

Result<Rows> Tx::run(StatementId statement, std::span<const Value> parameters) {
    if (failure_) return *failure_;
    return keep(run_one(session_, statement, parameters));
}

Result<Rows> Tx::run_many(StatementId statement, std::span<const Value> rows) {
    if (failure_) return *failure_;
    return keep(session_.run_many(statement, rows));
}

Result<Rows> Tx::keep(Result<Rows> result) {
    if (!result) failure_ = result.error();
    return result;
}

}  // namespace penstock
