#include "penstock/runtime/gate_rebuild.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "penstock/base/failpoint.h"

namespace penstock {
namespace {

/// Until the end is known, whatever was admitted before counts.
constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
constexpr ReadLimits kRead{10'000, 4 * 1024 * 1024};

std::int64_t integer(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

void append(std::vector<Value>& values, const std::vector<Value>& more) {
    values.insert(values.end(), more.begin(), more.end());
}

std::vector<const GateLink*> links_of(std::span<const Route> routes) {
    std::set<const GateLink*> found;
    for (const Route& route : routes) {
        if (route.gate != nullptr) found.insert(route.gate);
    }
    return {found.begin(), found.end()};
}

/// What another database made of a resource of this name, at a time that is still to come here.
Result<void> check_own(Gate& gate, const ResourceId& resource, GateGeneration generation) {
    const auto counts = gate.counts(resource);
    if (!counts) return counts.error();
    if (counts->generation <= generation) return {};
    return error(Code::unsafe,
                 fmt::format("the gate's state of {} is of generation {}, later than this "
                             "database's {}: another database uses the same keys, or the clock "
                             "went back far; set another gate.prefix",
                             resource.value(), counts->generation.value(), generation.value()));
}

using Closed = std::vector<std::pair<const GateLink*, ResourceSpec>>;

/// All resources, closed under `generation` now.
Result<Closed> close_all(Gate& gate, std::span<const Route> routes, Session& reader,
                         GateGeneration generation) {
    Closed closed;
    for (const GateLink* link : links_of(routes)) {
        auto resources = read_in_transaction(reader, [&] { return link->resources(reader); });
        if (!resources) return std::move(resources).error();
        for (ResourceSpec& spec : *resources) {
            const auto begun = gate.begin_rebuild(spec, generation);
            if (!begun && begun.error().code == Code::fenced) {
                // A lane made it just now, under this generation; or it is not ours.
                PENSTOCK_TRY(check_own(gate, spec.resource, generation));
                continue;
            }
            if (!begun) return begun.error();
            closed.emplace_back(link, std::move(spec));
        }
    }
    return closed;
}

Result<void> load_store(Gate& gate, Session& reader, const Closed& closed,
                        GateGeneration generation) {
    for (const auto& [link, spec] : closed) {
        if (spec.final_granted) continue;
        PENSTOCK_TRY(
            link->holdings(reader, spec, [&, &spec = spec](std::span<const Holding> holdings) {
                return gate.load(spec.resource, generation, holdings);
            }));
    }
    return {};
}

Result<void> open_all(Gate& gate, const Closed& closed, GateGeneration generation) {
    for (const auto& entry : closed) PENSTOCK_TRY(gate.open(entry.second.resource, generation));
    return {};
}

}  // namespace

const GateLink* GateRebuild::link_of(std::string_view type) const {
    const auto found = std::find_if(parts_.routes.begin(), parts_.routes.end(),
                                    [&](const Route& route) { return route.type == type; });
    return found == parts_.routes.end() ? nullptr : found->gate;
}

Result<void> GateRebuild::prepare(Session& owner, const Dialect& dialect) {
    const auto prepare = [&](StatementId& into, std::string_view sql) -> Result<void> {
        auto prepared = owner.prepare(sql);
        if (!prepared) return prepared.error();
        into = *prepared;
        return {};
    };
    PENSTOCK_TRY(
        prepare(newest_, "SELECT MAX(gate_generation) FROM penstock_owner WHERE grp = :grp"));
    PENSTOCK_TRY(prepare(
        advance_, fmt::format("UPDATE penstock_owner SET rebuilder = :member, gate_generation = "
                              ":next, gate_end = :no_end WHERE grp = :grp AND topic = :topic "
                              "AND part = :part AND gate_generation < :below{}",
                              if_free("rebuilder", parts_.owner, dialect))));
    PENSTOCK_TRY(prepare(release_,
                         "UPDATE penstock_owner SET rebuilder = NULL WHERE grp = :grp AND "
                         "topic = :topic AND part = :part AND rebuilder = :member"));
    PENSTOCK_TRY(prepare(note_cut_,
                         "INSERT INTO penstock_gate_cut (grp, topic, part, generation, gate_end) "
                         "VALUES (:grp, :topic, :part, :generation, :gate_end)"));
    return prepare(set_end_,
                   "UPDATE penstock_owner SET gate_end = :gate_end WHERE grp = :grp AND "
                   "topic = :topic AND part = :part AND gate_generation = :generation");
}

Result<GateGeneration> GateRebuild::generation(Session& owner) {
    const Value group[] = {std::string_view(parts_.owner.group)};
    const auto rows = run_one(owner, newest_, group);
    if (!rows) return rows.error();
    return GateGeneration(static_cast<std::uint64_t>(rows->table.integer(0, 0)));
}

Result<GateRebuild::State> GateRebuild::look(Session& owner) {
    if (held_) PENSTOCK_TRY(let_others(owner));
    const auto present = read_in_transaction(owner, [&] { return generation(owner); });
    if (!present) return present.error();
    auto reader = parts_.store.open(Role::reader, SessionLimits{});
    if (!reader) return std::move(reader).error();
    for (const GateLink* link : links_of(parts_.routes)) {
        const auto resources =
            read_in_transaction(**reader, [&] { return link->resources(**reader); });
        if (!resources) return resources.error();
        for (const ResourceSpec& spec : *resources) {
            const auto counts = parts_.gate.counts(spec.resource);
            if (!counts && counts.error().code == Code::unreachable) return counts.error();
            if (!counts || !counts->open || counts->generation != *present) {
                return State{*present, false};
            }
        }
    }
    // Before the first generation nothing can tell an empty gate from one that lost all.
    return State{*present, present->value() > 0};
}

/// Rows in their order, as batches lock theirs.
Result<GateGeneration> GateRebuild::begin_generation(Session& owner) {
    PENSTOCK_TRY(owner.begin());
    const auto body = [&]() -> Result<GateGeneration> {
        auto present = generation(owner);
        if (!present) return present;
        // Never below what an earlier database of these names has left in the gate.
        const auto now_ms = static_cast<std::uint64_t>(unix_ms(parts_.env.clock.wall()));
        const GateGeneration next(std::max(present->value() + 1, now_ms));
        for (const TopicPartition& at : parts_.partitions) {
            std::vector<Value> values = {member(), integer(next.value()), kNoEnd};
            append(values, owner_key(parts_.owner, at));
            values.emplace_back(integer(next.value()));
            const auto updated = run_one(owner, advance_, values);
            if (!updated) return updated.error();
            if (updated->matched != 1) {
                return error(Code::conflict, "another process rebuilds the gate");
            }
        }
        return next;
    };
    auto next = body();
    if (!next) {
        owner.rollback();
        return next;
    }
    held_ = true;  // also where nobody knows whether it was committed
    PENSTOCK_TRY(owner.commit());
    return next;
}

Result<void> GateRebuild::let_others(Session& owner) {
    PENSTOCK_TRY(owner.begin());
    for (const TopicPartition& at : parts_.partitions) {
        std::vector<Value> values = owner_key(parts_.owner, at);
        values.emplace_back(member());
        if (const auto released = run_one(owner, release_, values); !released) {
            owner.rollback();
            return released.error();
        }
    }
    PENSTOCK_TRY(owner.commit());
    held_ = false;
    return {};
}

Result<std::vector<GateRebuild::Range>> GateRebuild::ends() {
    std::vector<Range> ranges;
    std::map<TopicId, std::vector<PartitionInfo>> topics;
    for (const TopicPartition& at : parts_.partitions) {
        if (topics.count(at.topic) == 0) {
            auto described = parts_.log.describe(at.topic);
            if (!described) return std::move(described).error();
            topics[at.topic] = std::move(described->front().partitions);
        }
        for (const PartitionInfo& info : topics[at.topic]) {
            if (info.partition == at.partition) ranges.push_back({at, info.start, info.end});
        }
    }
    return ranges;
}

Result<void> GateRebuild::set_ends(Session& owner, GateGeneration generation,
                                   const std::vector<Range>& ranges) {
    PENSTOCK_TRY(owner.begin());
    for (const Range& range : ranges) {
        const std::vector<Value> key = owner_key(parts_.owner, range.at);
        const Value end = integer(range.end.value());
        std::vector<Value> values = {end};
        append(values, key);
        values.emplace_back(integer(generation.value()));
        const auto updated = run_one(owner, set_end_, values);
        std::vector<Value> cut = key;
        append(cut, {integer(generation.value()), end});
        const bool ours = updated && updated->matched == 1;
        const auto noted = ours ? run_one(owner, note_cut_, cut) : updated;
        if (ours && noted) continue;
        owner.rollback();
        if (!noted) return noted.error();
        return error(Code::conflict, "another process rebuilds the gate");
    }
    return owner.commit();
}

/// Call it in the snapshot that load_store() reads: what is below is in the store.
Result<void> GateRebuild::find_applied(Session& reader, std::vector<Range>& ranges) {
    const auto find = reader.prepare(
        "SELECT next_offset FROM penstock_owner "
        "WHERE grp = :grp AND topic = :topic AND part = :part");
    if (!find) return find.error();
    for (Range& range : ranges) {
        const auto rows = run_one(reader, *find, owner_key(parts_.owner, range.at));
        if (!rows) return rows.error();
        if (rows->table.rows() == 0) continue;
        range.from =
            std::max(range.from, Offset(static_cast<std::uint64_t>(rows->table.integer(0, 0))));
    }
    return {};
}

/// What is in line: admitted before, not yet decided.
Result<void> GateRebuild::load_log(const std::vector<Range>& ranges, GateGeneration generation) {
    for (const Range& range : ranges) {
        Offset next = range.from;
        while (next < range.end) {
            const auto batch = parts_.log.read(range.at, next, kRead);
            if (!batch) return batch.error();
            if ((*batch)->records().empty()) break;
            std::map<ResourceId, std::vector<Holding>> waiting;
            for (const Logged& record : (*batch)->records()) {
                next = Offset(record.offset.value() + 1);
                if (record.offset >= range.end) break;
                const auto decoded = decode(record, "");
                const auto* command = std::get_if<Command>(&decoded);
                if (command == nullptr || !command->admitted_under) continue;
                const GateLink* link = link_of(command->type);
                const auto ask = link == nullptr ? std::nullopt : link->ask(*command);
                if (!ask) continue;
                waiting[ResourceId(std::string(ask->resource))].push_back(
                    {ask->id, ask->holder, ask->quantity, false});
            }
            for (const auto& [resource, holdings] : waiting) {
                const auto loaded = parts_.gate.load(resource, generation, holdings);
                if (!loaded && loaded.error().code != Code::not_found) return loaded.error();
            }
        }
    }
    return {};
}

Result<void> GateRebuild::run(Session& owner) {
    const auto begun = begin_generation(owner);
    if (!begun) return begun.error();
    auto rebuilt = rebuild(owner, *begun);
    if (!rebuilt) return rebuilt;  // the next look() lets others
    return let_others(owner);
}

Result<void> GateRebuild::rebuild(Session& owner, GateGeneration generation) {
    auto reader = parts_.store.open(Role::reader, SessionLimits{});
    if (!reader) return std::move(reader).error();
    const auto closed = close_all(parts_.gate, parts_.routes, **reader, generation);
    if (!closed) return closed.error();
    // Nothing is admitted now: what is on the log below its end is all that counts of before.
    auto ranges = ends();
    if (!ranges) return std::move(ranges).error();
    PENSTOCK_TRY(set_ends(owner, generation, *ranges));
    PENSTOCK_TRY(read_in_transaction(**reader, [&]() -> Result<void> {
        PENSTOCK_TRY(find_applied(**reader, *ranges));
        return load_store(parts_.gate, **reader, *closed, generation);
    }));
    PENSTOCK_TRY(load_log(*ranges, generation));
#if PENSTOCK_FAILPOINTS
    if (const auto ms = failpoint("gate.sleep_before_open")) {
        parts_.env.executor.make_wake()->wait_until(parts_.env.clock.mono() +
                                                    std::chrono::milliseconds(std::stoul(*ms)));
    }
    die_at_failpoint("gate.die_before_open");
#endif
    return open_all(parts_.gate, *closed, generation);
}

Result<void> fill_gate(Gate& gate, std::span<const Route> routes, Session& reader,
                       GateGeneration generation) {
    const auto closed = close_all(gate, routes, reader, generation);
    if (!closed) return closed.error();
    PENSTOCK_TRY(
        read_in_transaction(reader, [&] { return load_store(gate, reader, *closed, generation); }));
    return open_all(gate, *closed, generation);
}

}  // namespace penstock
