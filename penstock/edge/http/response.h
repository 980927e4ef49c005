#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::http {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kProblemJson = "application/problem+json";
inline constexpr std::string_view kNdjson = "application/x-ndjson";
inline constexpr std::string_view kCsv = "text/csv; charset=utf-8";
inline constexpr std::string_view kEventStream = "text/event-stream";

struct Response {
    int status = 200;
    std::string_view content_type = kJson;  ///< of static storage; empty: no body
    std::string body;
    std::string fields;  ///< further header lines, each ended by CR LF
    bool close = false;  ///< the connection ends after it
};

/// RFC 9457, with what our callers need beside: a code that stays, and whether anything happened.
struct Problem {
    int status = 500;
    std::string_view code;  ///< stable
    std::string detail;     ///< says what to do
    Effect effect = Effect::none;
    std::optional<std::uint32_t> retry_after_s = std::nullopt;
    std::string members = {};  ///< further ones, `,"left":3`
    std::string fields = {};   ///< further header lines
};

const char* reason_phrase(int status);
/// `{"type":"about:blank",…}`
std::string problem_json(const Problem& problem);
/// The same up to its further members and the closing brace.
void open_problem(std::string& out, int status, std::string_view code, Effect effect,
                  std::string_view detail);
Response to_response(const Problem& problem);
void add_field(std::string& fields, std::string_view name, std::string_view value);

struct HeadOptions {
    std::string_view date;  ///< `Date: …` with CR LF
    bool http_1_0 = false;
    bool keep_alive = true;
    bool head_only = false;  ///< the answer to a HEAD
};
/// Appends the answer as it goes over the line.
void write_response(std::string& out, const Response& response, const HeadOptions& options);
/// Appends the header of an answer whose body comes in pieces: chunked, or until the end of the
/// connection for HTTP/1.0.
void write_stream_head(std::string& out, const Response& response, const HeadOptions& options);
void write_chunk(std::string& out, std::string_view bytes);

/// `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

}  // namespace penstock::http
