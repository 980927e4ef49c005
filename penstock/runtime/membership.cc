#include "penstock/runtime/membership.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {
Result<void> Membership::prepare(Session& session, const Dialect& dialect) {
    const auto prepare = [&](StatementId& into, const std::string& sql) -> Result<void> {
        auto prepared = session.prepare(sql);
        if (!prepared) return prepared.error();
        into = *prepared;
        return {};
    };
    const auto now = dialect.now_ms();
    PENSTOCK_TRY(prepare(renew_, fmt::format("UPDATE penstock_member SET lease_until = {} + :lease "
                                             "WHERE member = :member",
                                             now)));
    PENSTOCK_TRY(
        prepare(join_, fmt::format("INSERT INTO penstock_member (member, grp, lease_until) "
                                   "VALUES (:member, :grp, {} + :lease)",
                                   now)));
    PENSTOCK_TRY(prepare(bury_, fmt::format("DELETE FROM penstock_member WHERE grp = :grp AND "
                                            "lease_until <= {}",
                                            now)));
    PENSTOCK_TRY(prepare(members_, fmt::format("SELECT member FROM penstock_member WHERE grp = "
                                               ":grp AND lease_until > {}",
                                               now)));
    PENSTOCK_TRY(prepare(owners_,
                         "SELECT topic, part, next_offset, member FROM penstock_owner "
                         "WHERE grp = :grp ORDER BY topic, part"));
    return prepare(leave_, "DELETE FROM penstock_member WHERE member = :member");
}

Result<MemberView> Membership::beat(Session& session) {
    PENSTOCK_TRY(session.begin());
    auto view = renew_and_look(session);
    if (!view) {
        session.rollback();
        return view;
    }
    PENSTOCK_TRY(session.commit());
    return view;
}

Result<MemberView> Membership::renew_and_look(Session& session) {
    const std::string_view group = group_;
    const std::int64_t lease = lease_.count();
    const Value renewal[] = {lease, as_bytes(me_)};
    const auto renewed = run_one(session, renew_, renewal);
    if (!renewed) return renewed.error();
    if (renewed->matched == 0) {
        const Value joining[] = {as_bytes(me_), group, lease};
        if (const auto joined = run_one(session, join_, joining); !joined) return joined.error();
    }
    const Value of_group[] = {group};
    const auto members = run_one(session, members_, of_group);
    if (!members) return members.error();
    const auto owners = run_one(session, owners_, of_group);
    if (!owners) return owners.error();
    MemberView view;
    for (std::size_t i = 0; i < members->table.rows(); ++i) {
        view.members.push_back(to_hash128(members->table.blob(i, 0)));
    }
    std::sort(view.members.begin(), view.members.end());
    const Table& table = owners->table;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        SeenOwner seen{{{TopicId(std::string(table.text(i, 0))),
                         PartitionId(static_cast<std::uint32_t>(table.integer(i, 1)))},
                        std::nullopt},
                       Offset(static_cast<std::uint64_t>(table.integer(i, 2)))};
        if (!table.is_null(i, 3)) {
            const Uuid owner = to_hash128(table.blob(i, 3));
            if (std::binary_search(view.members.begin(), view.members.end(), owner)) {
                seen.partition.owner = owner;
            }
        }
        view.owners.push_back(std::move(seen));
    }
    return view;
}

Result<bool> Membership::bury_dead(Session& session) {
    PENSTOCK_TRY(session.begin());
    const Value of_group[] = {std::string_view(group_)};
    const auto buried = run_one(session, bury_, of_group);
    if (!buried) {
        session.rollback();
        return buried.error();
    }
    PENSTOCK_TRY(session.commit());
    return buried->matched > 0;
}

Result<void> Membership::leave(Session& session) {
    PENSTOCK_TRY(session.begin());
    const Value me[] = {as_bytes(me_)};
    if (const auto left = run_one(session, leave_, me); !left) {
        session.rollback();
        return left.error();
    }
    return session.commit();
}

}  // namespace penstock
