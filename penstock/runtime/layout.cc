#include "penstock/runtime/layout.h"

namespace penstock {

Result<void> Layouts::prepare(const Dialect& dialect) {
    const auto prepare = [&](StatementId& into, std::string_view sql) -> Result<void> {
        auto prepared = session_.prepare(sql);
        if (!prepared) return std::move(prepared).error();
        into = *prepared;
        return {};
    };
    PENSTOCK_TRY(prepare(select_,
                         "SELECT line, generation, partitions FROM penstock_layout "
                         "WHERE grp = :grp AND topic = :topic"));
    PENSTOCK_TRY(prepare(
        insert_, dialect.insert_or_nothing(
                     "penstock_layout", "grp, topic, line, generation, partitions", "grp, topic")));
    return prepare(adopt_,
                   "UPDATE penstock_layout SET line = :line WHERE grp = :grp AND topic = :topic");
}

Result<std::optional<Layout>> Layouts::find(const TopicId& topic) {
    const Value values[] = {std::string_view(group_), std::string_view(topic.value())};
    const auto rows =
        read_in_transaction(session_, [&] { return run_one(session_, select_, values); });
    if (!rows) return rows.error();
    if (rows->table.rows() == 0) return std::optional<Layout>();
    Layout layout;
    const Bytes line = rows->table.blob(0, 0);
    layout.line = to_hash128(line);
    layout.generation = LayoutId(static_cast<std::uint32_t>(rows->table.integer(0, 1)));
    layout.partitions = static_cast<std::uint32_t>(rows->table.integer(0, 2));
    return std::optional(layout);
}

Result<Layout> Layouts::begin(const TopicId& topic, const Layout& first) {
    const Value values[] = {std::string_view(group_), std::string_view(topic.value()),
                            as_bytes(first.line), std::int64_t{first.generation.value()},
                            std::int64_t{first.partitions}};
    PENSTOCK_TRY(write(insert_, values));
    const auto layout = find(topic);
    if (!layout) return layout.error();
    if (!*layout) return error(Code::damaged, "a row of penstock_layout went away");
    return **layout;
}

Result<void> Layouts::adopt(const TopicId& topic, const Uuid& line) {
    const Value values[] = {as_bytes(line), std::string_view(group_),
                            std::string_view(topic.value())};
    return write(adopt_, values);
}

Result<void> Layouts::write(StatementId statement, std::span<const Value> values) {
    PENSTOCK_TRY(session_.begin());
    if (const auto written = run_one(session_, statement, values); !written) {
        session_.rollback();
        return written.error();
    }
    return session_.commit();
}

}  // namespace penstock
