#include "penstock/core/command.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace penstock {
namespace {

Command full_command() {
    Command command;
    command.id_text = "order 4711";
    command.id = uuid_of_id(command.id_text);
    command.type = "shop.set_radius";
    command.target = "shop-service";
    command.key = std::string_view("k\0\xff", 3);
    command.data = as_bytes(R"({"radius_m":100})");
    command.requested_at = log_time(1'700'000'000'123);
    command.deadline = log_time(-5);
    command.admitted_under = GateGeneration(~std::uint64_t{0});
    command.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    command.layout = LayoutId(9);
    return command;
}

Logged logged(const Record& record) {
    Logged read;
    static_cast<Record&>(read) = record;
    read.offset = Offset(77);
    read.time = log_time(1234);
    return read;
}

void expect_same(const Command& a, const Command& b) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.id_text, b.id_text);
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.target, b.target);
    EXPECT_EQ(a.key, b.key);
    EXPECT_EQ(as_text(a.data), as_text(b.data));
    EXPECT_EQ(a.requested_at, b.requested_at);
    EXPECT_EQ(a.deadline, b.deadline);
    EXPECT_EQ(a.admitted_under, b.admitted_under);
    EXPECT_EQ(a.traceparent, b.traceparent);
    EXPECT_EQ(a.layout, b.layout);
    EXPECT_EQ(body_hash(a), body_hash(b));
}

TEST(CommandRecord, ReadsBackAsTheSameCommand) {
    const Command command = full_command();
    const CommandRecord record(command);
    const auto decoded = decode(logged(record.record()), "");
    const auto* read = std::get_if<Command>(&decoded);
    ASSERT_NE(read, nullptr) << std::get<Undecodable>(decoded).why;
    expect_same(*read, command);
    EXPECT_EQ(read->offset, Offset(77));
    EXPECT_EQ(read->logged_at, log_time(1234));
    EXPECT_TRUE(check_record(record.record()));
}

TEST(CommandRecord, LeavesOutWhatIsNotThere) {
    Command command;
    command.id_text = "a";
    command.id = uuid_of_id("a");
    command.type = "t";
    const CommandRecord record(command);
    std::set<std::string> names;
    for (const Header& header : record.record().headers) names.emplace(header.name);
    EXPECT_EQ(names, (std::set<std::string>{"id", "type", "requested_at"}));
    const auto decoded = decode(logged(record.record()), "");
    ASSERT_TRUE(std::holds_alternative<Command>(decoded));
    expect_same(std::get<Command>(decoded), command);
    EXPECT_EQ(std::get<Command>(decoded).deadline, std::nullopt);
    EXPECT_EQ(std::get<Command>(decoded).admitted_under, std::nullopt);
}

TEST(CommandRecord, TakesEveryNumberItMayCarry) {
    for (const std::int64_t ms : {std::int64_t{0}, INT64_MIN, INT64_MAX}) {
        Command command = full_command();
        command.requested_at = log_time(ms);
        command.deadline = log_time(ms);
        const CommandRecord record(command);
        const auto decoded = decode(logged(record.record()), "");
        ASSERT_TRUE(std::holds_alternative<Command>(decoded));
        EXPECT_EQ(unix_ms(std::get<Command>(decoded).requested_at), ms);
        EXPECT_EQ(unix_ms(*std::get<Command>(decoded).deadline), ms);
    }
}

/// A record with an id, a type and one more header.
std::variant<Command, Undecodable> decode_with(std::string_view name, std::string_view value) {
    const Header headers[] = {
        {"id", as_bytes("the-id")}, {"type", as_bytes("t")}, {name, as_bytes(value)}};
    return decode(logged({as_bytes("key"), as_bytes("{}"), headers, LayoutId(0)}), "");
}

TEST(Decode, RefusesEveryMalformedHeader) {
    struct Bad {
        std::string name, value;
    };
    const Bad table[] = {
        {"id", ""},
        {"id", std::string(129, 'a')},
        {"id", "caf\xc3\xa9"},
        {"id", "a\nb"},
        {"id", "a\x7f"},
        {"id", std::string("a\0b", 3)},
        {"type", ""},
        {"type", std::string(129, 't')},
        {"target", std::string(257, 't')},
        {"requested_at", ""},
        {"requested_at", "soon"},
        {"requested_at", "1.5"},
        {"requested_at", "1 "},
        {"requested_at", " 1"},
        {"requested_at", "+1"},
        {"requested_at", "0x10"},
        {"requested_at", "9223372036854775808"},
        {"requested_at", "-9223372036854775809"},
        {"deadline", ""},
        {"deadline", "2026-11-21T09:00:00Z"},
        {"deadline", "99999999999999999999"},
        {"gate_generation", ""},
        {"gate_generation", "-1"},
        {"gate_generation", "one"},
        {"gate_generation", "18446744073709551616"},
    };
    for (const Bad& bad : table) {
        const auto decoded = decode_with(bad.name, bad.value);
        const auto* undecodable = std::get_if<Undecodable>(&decoded);
        ASSERT_NE(undecodable, nullptr) << bad.name << "=" << bad.value;
        EXPECT_FALSE(undecodable->why.empty()) << bad.name << "=" << bad.value;
        EXPECT_EQ(undecodable->id, uuid_of_id("the-id")) << bad.name << "=" << bad.value;
    }
}

TEST(Decode, TakesHeadersAtTheirLimitsAndUnknownOnes) {
    struct Good {
        std::string name, value;
    };
    const Good table[] = {
        {"id", std::string(128, 'a')},
        {"id", " ~"},
        {"type", std::string(128, 't')},
        {"target", std::string(256, 't')},
        {"target", ""},
        {"requested_at", "-1"},
        {"deadline", "9223372036854775807"},
        {"gate_generation", "18446744073709551615"},
        {"traceparent", "anything"},
        {"somebody-elses", "\xff"},
        {"ID", ""},
    };
    for (const Good& good : table) {
        EXPECT_TRUE(std::holds_alternative<Command>(decode_with(good.name, good.value)))
            << good.name << "=" << good.value;
    }
}

TEST(Decode, NeedsIdTypeKeyAndValue) {
    const Header id{"id", as_bytes("x")};
    const Header type{"type", as_bytes("t")};
    const Header both[] = {id, type};
    const auto key = as_bytes("k");
    const auto value = as_bytes("{}");
    struct Case {
        std::span<const Header> headers;
        std::optional<Bytes> key, value;
        const char* default_type;
        bool good, has_id;
    };
    const Case table[] = {
        {both, key, value, "", true, true},
        {{&id, 1}, key, value, "", false, true},
        {{&id, 1}, key, value, "usual", true, true},
        {{&type, 1}, key, value, "", false, false},
        {{}, key, value, "usual", false, false},
        {both, std::nullopt, value, "", false, true},
        {both, key, std::nullopt, "", false, true},
        {both, as_bytes(""), as_bytes(""), "", true, true},
    };
    for (std::size_t i = 0; i < std::size(table); ++i) {
        const Case& one = table[i];
        const auto decoded =
            decode(logged({one.key, one.value, one.headers, LayoutId(0)}), one.default_type);
        EXPECT_EQ(std::holds_alternative<Command>(decoded), one.good) << i;
        if (const auto* undecodable = std::get_if<Undecodable>(&decoded)) {
            EXPECT_EQ(undecodable->id.has_value(), one.has_id) << i;
        }
    }
}

TEST(Decode, TypeOfTheRecordGoesBeforeTheTopicsDefault) {
    const Header headers[] = {{"id", as_bytes("x")}, {"type", as_bytes("own")}};
    const auto decoded =
        decode(logged({as_bytes("k"), as_bytes("{}"), headers, LayoutId(0)}), "usual");
    EXPECT_EQ(std::get<Command>(decoded).type, "own");
}

TEST(BodyHash, TellsEveryFieldAndWhereItEnds) {
    std::set<Hash128> hashes;
    const auto add = [&](std::string_view type, std::string_view target, std::string_view key,
                         std::string_view data) {
        Command command;
        command.type = type;
        command.target = target;
        command.key = key;
        command.data = as_bytes(data);
        EXPECT_TRUE(hashes.insert(body_hash(command)).second) << type << target << key << data;
    };
    add("", "", "", "");
    add("a", "", "", "");
    add("", "a", "", "");
    add("", "", "a", "");
    add("", "", "", "a");
    add("ab", "c", "d", "e");
    add("a", "bc", "d", "e");
    add("a", "b", "cd", "e");
    add("a", "b", "c", "de");
    add("a", "b", std::string(5000, 'c'), std::string(5000, 'd'));
    add("a", "b", std::string(5001, 'c'), std::string(4999, 'd'));
}

TEST(BodyHash, LeavesOutWhatARepeatMayChange) {
    const Command command = full_command();
    Command repeat = command;
    repeat.id_text = "another";
    repeat.requested_at = log_time(1);
    repeat.deadline.reset();
    repeat.admitted_under.reset();
    repeat.traceparent = {};
    repeat.offset = Offset(5);
    EXPECT_EQ(body_hash(repeat), body_hash(command));
}

/// It stands in stores: it may never change.
TEST(BodyHash, IsTheSameInEveryVersion) {
    EXPECT_EQ(format_uuid(body_hash(full_command())), "65b44729-7653-4a47-55f6-d4e517589255");
}

}  // namespace
}  // namespace penstock
