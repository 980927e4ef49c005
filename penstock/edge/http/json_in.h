#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/base/time.h"

namespace penstock::http {

/// RFC 8259 and no more: UTF-8, at most `depth` levels, no doubled members, nothing behind the
/// value. `invalid` says what is wrong.
Result<boost::json::value> parse_json(std::string_view text, std::size_t depth);

/// Reads the members of a JSON object strictly. The first thing that is wrong is kept; done() tells
/// it, and names members that nobody asked for.
class Members {
public:
    explicit Members(const boost::json::value& value);

    bool has(std::string_view name) const;
    const boost::json::value* any(std::string_view name);
    std::optional<std::string> text(std::string_view name, std::size_t max_bytes);
    std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t least,
                                         std::uint64_t most);
    std::optional<bool> boolean(std::string_view name);
    std::optional<LogTime> time(std::string_view name);
    void need(std::string_view name);  ///< it must be there
    void complain(std::string text);
    Result<void> done();

private:
    const boost::json::object* object_ = nullptr;
    std::vector<std::string> asked_;
    std::optional<std::string> complaint_;
};

}  // namespace penstock::http
