#pragma once

#include "penstock/store/store.h"

namespace penstock {

/// PostgreSQL's words. Threads: any.
class PostgresDialect final : public Dialect {
public:
    std::string_view name() const override { return "postgres"; }
    std::string_view type(std::string_view kind) const override;
    std::string_view for_update() const override { return " FOR UPDATE"; }
    std::string insert_or_nothing(std::string_view table, std::string_view columns,
                                  std::string_view key) const override;
    std::string_view now_ms() const override {
        return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)";
    }
    std::string_view clustered() const override { return ""; }
};

}  // namespace penstock
