#include "penstock/apps/sale/claim_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "penstock/apps/sale/flat_json.h"
#include "penstock/apps/sale/stock.h"

namespace penstock::sale {
namespace {

constexpr std::size_t kDoneReplyBytes = 96;  // of a UUID and numbers of usual size
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

std::string done_reply(const Command& command, std::uint64_t position) {
    std::string reply;
    reply.reserve(kDoneReplyBytes);
    reply += R"({"claim_id":)";
    append_quoted(reply, command.id_text);
    reply += R"(,"position":)";
    append_number(reply, position);
    reply += R"(,"offset":)";
    append_number(reply, command.offset.value());
    reply += '}';
    return reply;
}

Value text_of_id(const Command& command) {
    if (is_text_of(command.id, command.id_text)) return std::monostate{};
    return command.id_text;
}

}  // namespace

struct ClaimHandler::Stock {
    std::string_view campaign;
    bool found = false;
    CampaignRow row;
    std::uint64_t granted = 0;  ///< after the claims decided so far
    bool moved = false;         ///< the row was not as read: nothing of it is written
};

/// A user may have one grant only: the table's key says so, too.
bool ClaimHandler::has_one_slot(const Stock& stock) {
    return stock.row.campaign.per_user == 1;
}

/// One batch on its way through the steps.
struct ClaimHandler::Work {
    struct One {
        ClaimView claim;
        std::size_t stock = kNone;   ///< index; none: the command is not decodable
        std::size_t held = kNone;    ///< index; none: no limit to look at
        std::uint64_t position = 0;  ///< 0: not granted
    };
    struct Held {
        std::size_t stock;
        std::string_view user_id;
        std::uint64_t before = 0;  ///< units as read
        std::uint64_t units = 0;   ///< after the claims decided so far
    };

    const Turn& turn;
    bool guess;  ///< that nobody has a grant yet where a user may have one only
    std::span<const Command> commands;
    std::span<Verdict> verdicts;
    std::vector<One> ones;
    std::vector<Stock> stocks;  ///< by campaign
    /// Of those that name a campaign: by campaign and user, then in the order of the log.
    std::vector<std::uint32_t> order;
    std::vector<Held> held;    ///< by campaign, user
    std::deque<Claim> parsed;  ///< owners of texts that had to be unescaped
    std::vector<Value> values;

    void parse();
    void find_campaigns();
    void sort_by_user();
    void find_holders();
    bool decide();
    bool unproved(const One& one, const Refused& refused) const;
    std::optional<Refused> refusal(const One& one, const Command& command) const;
};

void ClaimHandler::Work::parse() {
    ones.resize(commands.size());
    for (std::size_t i = 0; i < commands.size(); ++i) {
        const std::string_view json = as_text(commands[i].data);
        if (const auto view = scan_canonical(json)) {
            ones[i].claim = *view;
            continue;
        }
        auto claim = parse_claim(json);
        if (!claim) {
            verdicts[i] = Refused{kInvalid, claim.error().text};
            ones[i].claim.quantity = 0;
            continue;
        }
        const Claim& kept = parsed.emplace_back(*std::move(claim));
        ones[i].claim = {kept.user_id, kept.quantity};
    }
}

void ClaimHandler::Work::find_campaigns() {
    std::vector<std::string_view> names;
    for (const Command& command : commands) {
        if (names.empty() || names.back() != command.key) names.push_back(command.key);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string_view name : names) stocks.emplace_back().campaign = name;
    std::size_t latest = 0;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (ones[i].claim.quantity == 0) continue;
        if (stocks[latest].campaign != commands[i].key) {
            const auto found = std::lower_bound(names.begin(), names.end(), commands[i].key);
            latest = static_cast<std::size_t>(found - names.begin());
        }
        ones[i].stock = latest;
    }
}

void ClaimHandler::Work::sort_by_user() {
    for (std::uint32_t i = 0; i < ones.size(); ++i) {
        if (ones[i].stock != kNone) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::tie(ones[a].stock, ones[a].claim.user_id, a) <
               std::tie(ones[b].stock, ones[b].claim.user_id, b);
    });
}

/// The distinct holders of campaigns with a limit, sorted.
void ClaimHandler::Work::find_holders() {
    for (const std::uint32_t i : order) {
        One& one = ones[i];
        const Stock& stock = stocks[one.stock];
        if (!stock.found || !stock.row.campaign.per_user) continue;
        if (held.empty() || held.back().stock != one.stock ||
            held.back().user_id != one.claim.user_id) {
            held.push_back({one.stock, one.claim.user_id});
        }
        one.held = held.size() - 1;
    }
}

/// The gate asks in the same order. Times are judged by the record's own: the place in line.
std::optional<Refused> ClaimHandler::Work::refusal(const One& one, const Command& command) const {
    const Stock& stock = stocks[one.stock];
    if (!stock.found) return Refused{kNoCampaign, "there is no campaign with this id"};
    const Campaign& campaign = stock.row.campaign;
    if (stock.row.closed || (campaign.closes_at && *campaign.closes_at <= command.logged_at)) {
        return Refused{kClosed, "the campaign is closed"};
    }
    if (campaign.opens_at && command.logged_at < *campaign.opens_at) {
        return Refused{kNotOpen,
                       fmt::format("the campaign opens at {}", format_rfc3339(*campaign.opens_at))};
    }
    if (one.held != kNone && held[one.held].units + one.claim.quantity > *campaign.per_user) {
        return Refused{kLimitReached, fmt::format("a user may have {}, and this one has {}",
                                                  *campaign.per_user, held[one.held].units)};
    }
    const std::uint64_t left = campaign.quantity - stock.granted;
    if (left == 0) return Refused{kSoldOut, fmt::format("all {} are granted", campaign.quantity)};
    if (one.claim.quantity > left) return Refused{kNotEnough, fmt::format("only {} left", left)};
    return std::nullopt;
}

/// By the guess that the user has nothing, and no grant of this batch puts it to the proof.
bool ClaimHandler::Work::unproved(const One& one, const Refused& refused) const {
    if (!guess || !has_one_slot(stocks[one.stock]) || held[one.held].units != 0) return false;
    return refused.reason == kLimitReached || refused.reason == kSoldOut ||
           refused.reason == kNotEnough;
}

/// False: what was guessed must be looked up.
bool ClaimHandler::Work::decide() {
    for (Stock& stock : stocks) stock.granted = stock.row.granted;
    for (Held& one : held) one.units = one.before;
    for (std::size_t i = 0; i < ones.size(); ++i) {
        One& one = ones[i];
        one.position = 0;
        if (one.stock == kNone) continue;
        if (auto refused = refusal(one, commands[i])) {
            if (unproved(one, *refused)) return false;
            verdicts[i] = *std::move(refused);
            continue;
        }
        Stock& stock = stocks[one.stock];
        one.position = stock.granted + 1;
        stock.granted += one.claim.quantity;
        if (one.held != kNone) held[one.held].units += one.claim.quantity;
        verdicts[i] = Done{done_reply(commands[i], one.position), {}};
    }
    return true;
}

Result<void> ClaimHandler::prepare(Session& session, const Dialect& dialect) {
    PENSTOCK_TRY(sale::prepare(session,
                               fmt::format("SELECT {} FROM sale_stock WHERE campaign = :campaign{}",
                                           kStockColumns, dialect.for_update()),
                               read_stock_));
    PENSTOCK_TRY(sale::prepare(session,
                               "SELECT campaign, user_id, quantity FROM sale_grant "
                               "WHERE campaign = :campaign AND user_id = :user_id",
                               read_held_));
    PENSTOCK_TRY(sale::prepare(session,
                               "UPDATE sale_stock SET granted = :after, version = version + 1 "
                               "WHERE campaign = :campaign AND granted = :before",
                               take_));
    return sale::prepare(session,
                         "INSERT INTO sale_grant (campaign, user_id, slot, position, quantity, id, "
                         "id_text, record_offset, granted_at) VALUES (:campaign, :user_id, :slot, "
                         ":position, :quantity, :id, :id_text, :record_offset, :granted_at)",
                         grant_);
}

void ClaimHandler::run(const Turn& turn, std::span<const Command> commands, Tx& tx,
                       std::span<Verdict> verdicts) {
    Work work{turn, turn.guess, commands, verdicts, {}, {}, {}, {}, {}, {}};
    work.parse();
    work.find_campaigns();
    if (!read_stock(work, tx)) return;
    work.sort_by_user();
    work.find_holders();
    if (!read_held(work, tx)) return;
    if (!work.decide()) {
        work.guess = false;
        if (!read_held(work, tx)) return;
        work.decide();
    }
    if (!write_stock(work, tx)) return;
    write_grants(work, tx);
}

bool ClaimHandler::read_stock(Work& work, Tx& tx) const {
    work.values.clear();
    for (const Stock& stock : work.stocks) {
        if (check_campaign_id(stock.campaign)) work.values.emplace_back(stock.campaign);
    }
    if (work.values.empty()) return true;
    const auto rows = tx.run_many(read_stock_, work.values);
    if (!rows) return false;
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        CampaignRow read = campaign_row(rows->table, row);
        const auto at = std::lower_bound(
            work.stocks.begin(), work.stocks.end(), read.id,
            [](const Stock& stock, const std::string& id) { return stock.campaign < id; });
        if (at == work.stocks.end() || at->campaign != read.id) continue;
        at->found = true;
        at->row = std::move(read);
    }
    return true;
}

bool ClaimHandler::read_held(Work& work, Tx& tx) const {
    work.values.clear();
    for (Work::Held& held : work.held) {
        held.before = 0;
        if (work.guess && has_one_slot(work.stocks[held.stock])) continue;
        work.values.emplace_back(work.stocks[held.stock].campaign);
        work.values.emplace_back(held.user_id);
    }
    if (work.values.empty()) return true;
    const auto rows = tx.run_many(read_held_, work.values);
    if (!rows) return false;
    // A row for each grant, in the order that was asked in; who has nothing has none.
    std::size_t at = 0;
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        while (at < work.held.size() &&
               (work.stocks[work.held[at].stock].campaign != rows->table.text(row, 0) ||
                work.held[at].user_id != rows->table.text(row, 1))) {
            ++at;
        }
        if (at == work.held.size()) break;
        work.held[at].before += static_cast<std::uint64_t>(rows->table.integer(row, 2));
    }
    return true;
}

/// Before the grants: a row that is not as it was read under the lock leaves nothing behind.
bool ClaimHandler::write_stock(Work& work, Tx& tx) const {
    for (Stock& stock : work.stocks) {
        if (stock.granted == stock.row.granted) continue;
        const Value values[] = {static_cast<std::int64_t>(stock.granted), stock.campaign,
                                static_cast<std::int64_t>(stock.row.granted)};
        const auto updated = tx.run(take_, values);
        if (!updated) return false;
        stock.moved = updated->matched != 1;
    }
    return true;
}

bool ClaimHandler::write_grants(Work& work, Tx& tx) const {
    work.values.clear();
    work.values.reserve(work.order.size() * 9);
    for (const std::uint32_t i : work.order) {
        const Work::One& one = work.ones[i];
        if (one.position == 0) continue;
        if (work.stocks[one.stock].moved) {
            work.verdicts[i] = Failed{"the stock row changed under this transaction's lock"};
            continue;
        }
        const Command& command = work.commands[i];
        const auto position = static_cast<std::int64_t>(one.position);
        work.values.insert(
            work.values.end(),
            {command.key, one.claim.user_id, has_one_slot(work.stocks[one.stock]) ? 0 : position,
             position, std::int64_t{one.claim.quantity}, as_bytes(command.id), text_of_id(command),
             static_cast<std::int64_t>(command.offset.value()), unix_ms(work.turn.now)});
    }
    return work.values.empty() || tx.run_many(grant_, work.values).ok();
}

}  // namespace penstock::sale
