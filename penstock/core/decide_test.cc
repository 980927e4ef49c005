#include "penstock/core/decide.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace penstock {
namespace {

// One case per line: what is known of the id, the id's kind and age, the deadline against now, the
// record's layout against the partition's 3, and the step. "-": none.
//   seen: same, other           id: v4, v7 and its age against the horizon of 1000 ms
//   deadline: ms from now       layout: 0 carries none
constexpr const char* kTable = R"(
# seen   id      deadline  layout   step
  -      v4      -         0        run
  -      v4      -         3        run
  -      v4      -         4        run
  -      v4      -         2        stale
  -      v4      0         0        run
  -      v4      1         0        run
  -      v4      -1        0        expired
  -      v4      -1        3        expired
  -      v4      -1        2        stale
  -      v7:0    -         0        run
  -      v7:999  -         0        run
  -      v7:1000 -         0        run
  -      v7:1001 -         0        too_old
  -      v7:1001 -1        2        too_old
  -      v7:1001 1         3        too_old
  -      v7:-50  -         0        run
  same   v4      -         0        duplicate
  same   v4      -1        0        duplicate
  same   v4      -         2        duplicate
  same   v7:9999 -         0        duplicate
  other  v4      -         0        id_reused
  other  v4      -1        2        id_reused
  other  v7:9999 -         0        id_reused
)";

constexpr std::int64_t kNow = 1'000'000;

const char* name_of(Step step) {
    switch (step) {
        case Step::run:
            return "run";
        case Step::duplicate:
            return "duplicate";
        case Step::id_reused:
            return "id_reused";
        case Step::too_old:
            return "too_old";
        case Step::expired:
            return "expired";
        case Step::stale:
            return "stale";
    }
    return "?";
}

/// A version 7 id of this age, or some version 4 id.
Uuid id_of(const std::string& text) {
    Uuid id = *parse_uuid("00000000-0000-4000-8000-00000000abcd");
    if (text == "v4") return id;
    const auto ms = static_cast<std::uint64_t>(kNow - std::stoll(text.substr(3)));
    for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    id.bytes[6] = 0x70;
    return id;
}

TEST(Decide, FollowsTheTable) {
    std::istringstream table(kTable);
    std::string line;
    int cases = 0;
    while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string seen, id, deadline, layout, step;
        if (!(words >> seen >> id >> deadline >> layout >> step) || seen == "#") continue;
        ++cases;
        Hash128 body, other;
        body.bytes[0] = 1;
        other.bytes[0] = 2;
        Command command;
        command.id = id_of(id);
        command.layout = LayoutId(static_cast<std::uint32_t>(std::stoul(layout)));
        if (deadline != "-") command.deadline = log_time(kNow + std::stoll(deadline));
        const Seen known{seen == "same" ? body : other};
        const Rules rules{log_time(kNow), std::chrono::milliseconds(1000), LayoutId(3)};
        EXPECT_STREQ(name_of(decide(command, body, seen == "-" ? nullptr : &known, rules)),
                     step.c_str())
            << line;
    }
    EXPECT_EQ(cases, 23);
}

TEST(BeyondHorizon, ConcernsIdsThatTellTheirTimeOnly) {
    const LogTime now = log_time(kNow);
    const std::chrono::milliseconds horizon(1000);
    EXPECT_TRUE(beyond_horizon(id_of("v7:1001"), now, horizon));
    EXPECT_FALSE(beyond_horizon(id_of("v7:1000"), now, horizon));
    EXPECT_FALSE(beyond_horizon(id_of("v4"), now, horizon));
    EXPECT_FALSE(beyond_horizon(uuid_of_id("any text"), now, horizon));
}

}  // namespace
}  // namespace penstock
