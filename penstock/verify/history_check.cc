#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "penstock/verify/totals.h"

namespace penstock::verify {
namespace {

namespace json = boost::json;

constexpr std::size_t kBatch = 1000;

/// An answered request.
struct Line {
    std::string id, type, key;
    Uuid uuid;
    std::int64_t status = 0;
    json::object body;
};

/// What was told of one id, over all its attempts.
struct Told {
    bool refused = false;  ///< an attempt got a final no
    bool other = false;    ///< an attempt got something else: done, the recorded no, unknown
    std::string differs;   ///< about a no of the gate where the record has another
};

std::string text_of(const json::object& object, json::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return {};
    return std::string(value->get_string().begin(), value->get_string().end());
}

std::optional<Line> read_line(const std::string& text) {
    json::error_code failure;
    const json::value value = json::parse(text, failure);
    if (failure || !value.is_object()) return std::nullopt;
    const json::object& object = value.get_object();
    const json::value* status = object.if_contains("status");
    Line line{text_of(object, "id"), text_of(object, "type"), text_of(object, "key")};
    if (line.id.empty() || status == nullptr || !status->is_int64()) return std::nullopt;
    line.uuid = uuid_of_id(line.id);
    line.status = status->get_int64();
    const json::value body = json::parse(text_of(object, "body"), failure);
    if (!failure && body.is_object()) line.body = body.get_object();
    return line;
}

bool is_done(const Line& line) {
    return line.status == 200 || line.status == 201;
}

/// A no that is final for this attempt: by the gate or by the owner.
bool is_refused(const Line& line) {
    return line.status == 409 || line.status == 403;
}

/// What the gate says to one attempt; the id's next one may get on the log.
bool is_of_gate(const std::string& code) {
    using enum Admission;
    constexpr Admission kRefusals[] = {limit_reached, none_free, not_enough,
                                       sold_out,      not_open,  closed};
    return std::any_of(std::begin(kRefusals), std::end(kRefusals),
                       [&](Admission refusal) { return code == to_string(refusal); });
}

class History {
public:
    History(Tables& tables, const Replay& replay, Report& report)
        : tables_(tables),
          replay_(replay),
          answers_(report.check("callers were told what is recorded")),
          silent_(report.check("claims that the gate refused wrote no record")),
          sold_out_(report.check("callers were told sold out only where all is granted")) {}

    Result<void> take(std::istream& history) {
        std::string text;
        std::vector<Line> batch;
        while (std::getline(history, text)) {
            if (text.empty()) continue;
            auto line = read_line(text);
            if (!line) {
                fault(answers_, "a line of the history is not of its form: " + shown(text));
                continue;
            }
            batch.push_back(*std::move(line));
            if (batch.size() < kBatch) continue;
            PENSTOCK_TRY(compare(batch));
            batch.clear();
        }
        PENSTOCK_TRY(compare(batch));
        finish();
        return check_sold_out();
    }

private:
    Result<void> compare(const std::vector<Line>& batch) {
        std::vector<Uuid> ids;
        for (const Line& line : batch) ids.push_back(line.uuid);
        std::sort(ids.begin(), ids.end());
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        const auto rows = tables_.outcomes(ids);
        if (!rows) return rows.error();
        for (const Line& line : batch) {
            const auto row = std::lower_bound(
                rows->begin(), rows->end(), line.uuid,
                [](const OutcomeRow& outcome, const Uuid& id) { return outcome.id < id; });
            compare(line, row == rows->end() || row->id != line.uuid ? nullptr : &*row);
        }
        return {};
    }

    void compare(const Line& line, const OutcomeRow* row) {
        ++lines_;
        Told& told = told_[line.uuid];
        if (is_done(line)) {
            told.other = true;
            ++done_;
            compare_done(line, row);
        } else if (is_refused(line)) {
            told.refused = true;
            compare_refused(line, row);
        } else {
            told.other = true;
        }
    }

    void compare_done(const Line& line, const OutcomeRow* row) {
        if (row == nullptr || row->outcome != 1) {
            fault(answers_, fmt::format("id {} was answered {} and has no such outcome",
                                        shown(line.id), line.status));
            return;
        }
        json::error_code failure;
        const json::value reply = json::parse(row->reply, failure);
        if (failure || !reply.is_object()) return;  // the replay has told that
        for (const auto& member : reply.get_object()) {
            // Campaigns are answered in a form of their own; what is said must be so.
            const json::value* said = line.body.if_contains(member.key());
            if (said != nullptr && *said == member.value()) continue;
            if (line.type != "sale.claim" && said == nullptr) continue;
            fault(answers_, fmt::format("id {}: {} is not what is recorded", shown(line.id),
                                        std::string(member.key())));
        }
    }

    void compare_refused(const Line& line, const OutcomeRow* row) {
        const std::string code = text_of(line.body, "code");
        if (code == "sold_out") told_sold_out_.insert(line.key);
        if (row != nullptr && row->outcome == 2) {
            Told& told = told_[line.uuid];
            if (row->reason == code) {
                told.other = true;
                return;
            }
            auto differs = fmt::format("id {} was refused with {}, recorded is {}", shown(line.id),
                                       shown(code), row->reason);
            if (!is_of_gate(code)) return fault(answers_, std::move(differs));
            told.differs = std::move(differs);
            return;
        }
        if (row != nullptr) {
            told_[line.uuid].refused = true;
            granted_.insert(line.uuid);
        } else {
            ++by_gate_;
        }
    }

    void finish() {
        for (const auto& [id, told] : told_) {
            if (!told.refused || told.other) continue;
            if (!told.differs.empty()) {
                fault(answers_, told.differs);
            } else if (granted_.count(id) != 0) {
                fault(silent_, fmt::format("id {} was refused and never asked again, and is done",
                                           format_uuid(id)));
            } else if (replay_.ids_in_line().count(id) != 0) {
                fault(silent_, fmt::format("id {} was refused and never asked again, and is in "
                                           "line",
                                           format_uuid(id)));
            }
        }
        answers_.figure = fmt::format("{} answers, {} done", lines_, done_);
        silent_.figure = fmt::format("{} refusals without a record", by_gate_);
    }

    /// It is said for good: grants are final.
    Result<void> check_sold_out() {
        for (const std::string& campaign : told_sold_out_) {
            const auto stock = tables_.stock_of(campaign);
            if (!stock) return stock.error();
            if (*stock && (*stock)->granted == (*stock)->quantity) continue;
            fault(sold_out_,
                  fmt::format("campaign {}: {} of {} are granted", shown(campaign),
                              *stock ? (*stock)->granted : 0, *stock ? (*stock)->quantity : 0));
        }
        sold_out_.figure = fmt::format("{} campaigns", told_sold_out_.size());
        return {};
    }

    Tables& tables_;
    const Replay& replay_;
    Check& answers_;
    Check& silent_;
    Check& sold_out_;
    std::set<std::string> told_sold_out_;
    std::map<Uuid, Told> told_;
    std::set<Uuid> granted_;
    std::uint64_t lines_ = 0, done_ = 0, by_gate_ = 0;
};

}  // namespace

Result<void> check_history(std::istream& history, Tables& tables, const Replay& replay,
                           Report& report) {
    return History(tables, replay, report).take(history);
}

}  // namespace penstock::verify
