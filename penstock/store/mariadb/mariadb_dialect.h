#pragma once

#include "penstock/store/store.h"

namespace penstock {

/// MariaDB's words. Every text compares byte for byte, trailing blanks included. Threads: any.
class MariadbDialect final : public Dialect {
public:
    std::string_view name() const override { return "mariadb"; }
    /// "key" is VARBINARY(512): any key of ours, two of them in one primary key of InnoDB (at most
    /// 3072 bytes), where VARCHAR counts four bytes a character.
    std::string_view type(std::string_view kind) const override;
    std::string_view for_update() const override { return " FOR UPDATE"; }
    /// ON DUPLICATE KEY UPDATE of a key column to itself, never INSERT IGNORE, which would swallow
    /// other errors as well. A session knows the form and counts new rows only.
    std::string insert_or_nothing(std::string_view table, std::string_view columns,
                                  std::string_view key) const override;
    std::string_view now_ms() const override {
        return "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";
    }
    std::string_view clustered() const override { return ""; }  ///< InnoDB always is
};

}  // namespace penstock
