#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace penstock::load {

/// The head of an answer with a Content-Length, as a node sends it.
struct AnswerHead {
    int status = 0;
    std::size_t head_bytes = 0, body_bytes = 0;
    std::uint32_t retry_after_s = 0;
    bool close = false;  ///< the connection ends after it
};

enum class Reading : std::uint8_t { whole, unfinished, broken };

/// Reads the head at the beginning of `input`; `whole` says nothing about the body.
Reading read_answer_head(std::string_view input, AnswerHead& head);

/// What one claim was told: by an answer, or by a line of a batch's answer.
struct ClaimAnswer {
    int status = 0;            ///< 0: there was no answer
    std::string_view body;     ///< as it came
    std::string_view members;  ///< of it what a repeat must be told, too
    std::uint32_t retry_after_s = 0;
};
/// A line of a batch's answer. Status 0: it is not of its form.
ClaimAnswer read_answer_line(std::string_view line);
/// The member `code` of a problem, or nothing.
std::string_view problem_code(std::string_view body);

}  // namespace penstock::load
