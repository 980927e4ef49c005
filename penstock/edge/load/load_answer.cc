#include "penstock/edge/load/load_answer.h"

#include <algorithm>
#include <charconv>

namespace penstock::load {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same(std::string_view name, std::string_view lower_name) {
    return name.size() == lower_name.size() &&
           std::equal(name.begin(), name.end(), lower_name.begin(),
                      [](char a, char b) { return lower(a) == b; });
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

/// False: the answer cannot be read by us.
bool read_field(std::string_view line, AnswerHead& head, bool& has_length) {
    const char first = line.empty() ? ' ' : lower(line[0]);
    if (first != 'c' && first != 'r' && first != 't') return true;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (same(name, "content-length")) {
        const auto length = number<std::size_t>(value);
        if (!length) return false;
        head.body_bytes = *length;
        has_length = true;
    } else if (same(name, "connection")) {
        head.close = same(value, "close");
    } else if (same(name, "retry-after")) {
        head.retry_after_s = number<std::uint32_t>(value).value_or(0);
    } else if (same(name, "transfer-encoding")) {
        return false;
    }
    return true;
}

}  // namespace

Reading read_answer_head(std::string_view input, AnswerHead& head) {
    const std::size_t end = input.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return input.size() > kMaxHead ? Reading::broken : Reading::unfinished;
    }
    head = {};
    head.head_bytes = end + 4;
    std::string_view rest = input.substr(0, end);
    if (!rest.starts_with("HTTP/1.") || rest.size() < 12) return Reading::broken;
    head.status = number<int>(rest.substr(9, 3)).value_or(0);
    bool has_length = head.status == 204;
    for (std::size_t at = rest.find("\r\n"); at != std::string_view::npos; at = rest.find("\r\n")) {
        rest.remove_prefix(at + 2);
        if (!read_field(rest.substr(0, rest.find("\r\n")), head, has_length)) {
            return Reading::broken;
        }
    }
    return has_length && head.status >= 200 ? Reading::whole : Reading::broken;
}

ClaimAnswer read_answer_line(std::string_view line) {
    static constexpr std::string_view kStatus = "\"status\":";
    ClaimAnswer answer;
    const std::size_t at = line.find(kStatus);
    if (at == std::string_view::npos) return answer;
    answer.status = number<int>(line.substr(at + kStatus.size(), 3)).value_or(0);
    answer.body = line;
    answer.members = line.substr(std::min(line.size(), at + kStatus.size() + 3));
    return answer;
}

std::string_view problem_code(std::string_view body) {
    static constexpr std::string_view kCode = "\"code\":\"";
    const std::size_t at = body.find(kCode);
    if (at == std::string_view::npos) return {};
    body.remove_prefix(at + kCode.size());
    return body.substr(0, body.find('"'));
}

}  // namespace penstock::load
