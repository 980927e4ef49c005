#include "penstock/main/tables.h"

#include <fmt/format.h>

#include "penstock/apps/sale/sale.h"
#include "penstock/runtime/schema.h"
#include "penstock/store/schema_steps.h"

namespace penstock {
namespace {

Result<Rows> read_all(Session& reader, const std::string& sql, std::span<const Value> values) {
    const auto statement = reader.prepare(sql);
    if (!statement) return statement.error();
    return read_in_transaction(reader, [&] { return run_one(reader, *statement, values); });
}

}  // namespace

Result<void> check_group(Store& store, const std::string& group) {
    auto session = store.open(Role::reader, SessionLimits{});
    if (!session) return std::move(session).error();
    const std::string replies = group + "/replies";
    const Value values[] = {std::string_view(group), std::string_view(replies)};
    const auto others = read_all(**session,
                                 "SELECT MIN(grp) FROM penstock_owner WHERE grp <> :grp AND "
                                 "grp <> :replies",
                                 values);
    if (!others) return others.error();
    if (others->table.rows() == 0 || others->table.is_null(0, 0)) return {};
    std::string other(others->table.text(0, 0));
    other = other.substr(0, other.rfind("/replies"));
    return error(Code::unsafe,
                 fmt::format("runtime.group = \"{}\": the tables of this database are the group "
                             "{}'s, and serve one group only; set runtime.group = \"{}\", or give "
                             "this group a database, a Kafka cluster and a gate.prefix of its own",
                             group, other, other));
}

Result<void> check_tables(Store& store, Session& reader) {
    const auto found =
        read_all(reader, fmt::format("SELECT component, version FROM {}", kSchemaTable), {});
    if (!found && found.error().code != Code::invalid) return found.error();
    SchemaVersions present;
    for (std::size_t i = 0; found && i < found->table.rows(); ++i) {
        present[std::string(found->table.text(i, 0))] =
            static_cast<std::uint32_t>(found->table.integer(i, 1));
    }
    const Dialect& dialect = store.dialect();
    for (const auto& migrations :
         {runtime_migrations(dialect), sale::make_sale()->migrations(dialect)}) {
        const SchemaVersions known = last_versions(migrations);
        PENSTOCK_TRY(check_not_newer(present, known));
        for (const auto& [component, version] : known) {
            if (present[component] == version) continue;
            return error(Code::not_found,
                         fmt::format("the database holds no tables of {} in version {}; is it that "
                                     "of a node, and was `penstock serve` started once on it?",
                                     component, version));
        }
    }
    return {};
}

}  // namespace penstock
