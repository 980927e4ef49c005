#include "test/kit/seed.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "penstock/base/env.h"

namespace penstock::test {
namespace {

std::optional<std::string> from_command_line() {
    std::ifstream arguments("/proc/self/cmdline");
    std::string argument;
    while (std::getline(arguments, argument, '\0')) {
        if (argument.rfind("--seed=", 0) == 0) return argument.substr(7);
        if (argument == "--seed" && std::getline(arguments, argument, '\0')) return argument;
    }
    return std::nullopt;
}

std::optional<std::string> given_text() {
    if (auto text = from_command_line()) return text;
    const char* text = std::getenv("PENSTOCK_SEED");
    if (text == nullptr || *text == '\0') return std::nullopt;
    return std::string(text);
}

}  // namespace

Seed::Seed() {
    const auto text = given_text();
    given_ = text.has_value();
    // 32 bits, so that it is easily typed again.
    value_ = text ? std::strtoull(text->c_str(), nullptr, 0) : system_env().random.next() >> 32;
}

Seed::~Seed() {
    if (!::testing::Test::HasFailure()) return;
    std::fprintf(stderr, "to run it again: PENSTOCK_SEED=%llu\n",
                 static_cast<unsigned long long>(value_));
}

}  // namespace penstock::test
