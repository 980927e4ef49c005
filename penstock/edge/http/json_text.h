#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::http {

enum class MemberOrder { as_given, sorted };

/// The members of a JSON object, each with its value as compact text: no white space, one way to
/// write a string, numbers exactly as they were given (no digit is lost). Sorted: one text for all
/// texts that differ in white space and member order only. Strict as parse_json().
Result<std::vector<std::pair<std::string, std::string>>> split_object(std::string_view json,
                                                                      std::size_t depth,
                                                                      MemberOrder order);

}  // namespace penstock::http
