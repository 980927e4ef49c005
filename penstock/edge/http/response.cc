#include "penstock/edge/http/response.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "penstock/edge/http/utf8.h"

namespace penstock::http {
namespace {

constexpr std::string_view kSafety =
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Characters that stand for themselves in a JSON string.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
    return plain;
}();

/// Takes the first character of `text`, which is none of those.
void append_special(std::string& out, std::string_view& text) {
    const unsigned char c = static_cast<unsigned char>(text[0]);
    const std::size_t length = utf8_length(text);
    if (length == 0) {
        out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
        out += '\\';
        out += text[0];
    } else if (c == '\n') {
        out += "\\n";
    } else if (length == 1) {
        fmt::format_to(std::back_inserter(out), FMT_COMPILE("\\u{:04x}"), c);
    } else {
        out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
}

void write_head(std::string& out, const Response& response, const HeadOptions& options) {
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("HTTP/1.1 {} {}\r\n"), response.status,
                   reason_phrase(response.status));
    out += options.date;
    if (!response.content_type.empty()) {
        out += "Content-Type: ";
        out += response.content_type;
        out += "\r\n";
    }
    out += kSafety;
    out += response.fields;
    if (!options.keep_alive) {
        out += "Connection: close\r\n";
    } else if (options.http_1_0) {
        out += "Connection: keep-alive\r\n";
    }
}

}  // namespace

const char* reason_phrase(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        case 507:
            return "Insufficient Storage";
        default:
            return "Unknown";
    }
}

void add_field(std::string& fields, std::string_view name, std::string_view value) {
    fields += name;
    fields += ": ";
    fields += value;
    fields += "\r\n";
}

void open_problem(std::string& out, int status, std::string_view code, Effect effect,
                  std::string_view detail) {
    fmt::format_to(
        std::back_inserter(out),
        FMT_COMPILE(
            R"({{"type":"about:blank","title":"{}","status":{},"code":"{}","effect":"{}","detail":)"),
        reason_phrase(status), status, code, effect == Effect::none ? "none" : "unknown");
    append_json_string(out, detail);
}

std::string problem_json(const Problem& problem) {
    std::string out;
    out.reserve(192 + problem.detail.size() + problem.members.size());
    open_problem(out, problem.status, problem.code, problem.effect, problem.detail);
    out += problem.members;
    out += '}';
    return out;
}

Response to_response(const Problem& problem) {
    Response response{problem.status, kProblemJson, problem_json(problem), problem.fields};
    if (problem.retry_after_s) {
        add_field(response.fields, "Retry-After", std::to_string(*problem.retry_after_s));
    }
    return response;
}

void write_response(std::string& out, const Response& response, const HeadOptions& options) {
    write_head(out, response, options);
    if (response.status != 204) {
        fmt::format_to(std::back_inserter(out), FMT_COMPILE("Content-Length: {}\r\n"),
                       response.body.size());
    }
    out += "\r\n";
    if (!options.head_only) out += response.body;
}

void write_stream_head(std::string& out, const Response& response, const HeadOptions& options) {
    write_head(out, response, options);
    if (!options.http_1_0) out += "Transfer-Encoding: chunked\r\n";
    out += "\r\n";
}

void write_chunk(std::string& out, std::string_view bytes) {
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("{:x}\r\n"), bytes.size());
    out += bytes;
    out += "\r\n";
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && kPlain[static_cast<unsigned char>(text[plain])]) ++plain;
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (!text.empty()) append_special(out, text);
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

}  // namespace penstock::http
