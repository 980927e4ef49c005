#include "penstock/verify/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace penstock::verify {
Check& Report::check(std::string name) {
    Check& made = checks_.emplace_back();
    made.name = std::move(name);
    return made;
}

Verdict Report::take() {
    return Verdict{
        {std::make_move_iterator(checks_.begin()), std::make_move_iterator(checks_.end())}};
}

void fault(Check& check, std::string text) {
    check.ok = false;
    if (++check.fault_count <= kMaxFaultsTold) check.faults.push_back(std::move(text));
}

std::string shown(std::string_view text) {
    constexpr std::size_t kMost = 80;
    std::string out;
    for (const char c : text.substr(0, kMost)) {
        if (c >= 0x20 && c < 0x7f) {
            out += c;
        } else {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    if (text.size() > kMost) out += "...";
    return out;
}

bool Verdict::ok() const {
    return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.ok; });
}

std::string to_text(const Verdict& verdict) {
    std::string out;
    for (const Check& check : verdict.checks) {
        fmt::format_to(std::back_inserter(out), "{:<6} {}: {}", check.ok ? "ok" : "FAILED",
                       check.name, check.figure);
        if (check.not_compared != 0) {
            fmt::format_to(std::back_inserter(out), " ({} could not be compared)",
                           check.not_compared);
        }
        out += '\n';
        for (const std::string& text : check.faults) out += "       - " + text + "\n";
        if (check.fault_count > check.faults.size()) {
            fmt::format_to(std::back_inserter(out), "       and {} more\n",
                           check.fault_count - check.faults.size());
        }
    }
    return out;
}

std::string to_json(const Verdict& verdict) {
    boost::json::array checks;
    for (const Check& check : verdict.checks) {
        boost::json::array faults;
        for (const std::string& text : check.faults) faults.emplace_back(text);
        checks.push_back({{"name", check.name},
                          {"ok", check.ok},
                          {"figure", check.figure},
                          {"faults", std::move(faults)},
                          {"fault_count", check.fault_count},
                          {"not_compared", check.not_compared}});
    }
    const boost::json::object all{{"ok", verdict.ok()}, {"checks", std::move(checks)}};
    return boost::json::serialize(all);
}

}  // namespace penstock::verify
