#pragma once

#include "penstock/store/store.h"

namespace penstock {

/// SQLite's words. Threads: any.
class SqliteDialect final : public Dialect {
public:
    std::string_view name() const override { return "sqlite"; }
    std::string_view type(std::string_view kind) const override;
    std::string_view for_update() const override { return ""; }
    std::string insert_or_nothing(std::string_view table, std::string_view columns,
                                  std::string_view key) const override;
    std::string_view now_ms() const override {
        return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
    }
    std::string_view clustered() const override { return " WITHOUT ROWID"; }
};

}  // namespace penstock
