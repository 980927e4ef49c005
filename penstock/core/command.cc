#include "penstock/core/command.h"

#include <algorithm>
#include <charconv>

namespace penstock {
namespace {

template <class Integer>
std::optional<Integer> parse_integer(std::string_view text) {
    Integer value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

template <class Integer>
std::string_view write_integer(char (&into)[20], Integer value) {
    const auto result = std::to_chars(into, into + sizeof into, value);
    return {into, static_cast<std::size_t>(result.ptr - into)};
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// Reads one header into the command; the reason if its value is malformed.
const char* take_header(Command& command, std::string_view name, std::string_view value) {
    if (name == header::kId) {
        if (!is_valid_id(value)) return "the header id is not 1 to 128 printable ASCII characters";
        command.id_text = value;
        command.id = uuid_of_id(value);
    } else if (name == header::kType) {
        if (value.empty() || value.size() > kMaxTypeBytes) return "the header type has no name";
        if (!is_printable(value)) return "the header type is not printable ASCII";
        command.type = value;
    } else if (name == header::kTarget) {
        if (value.size() > kMaxTargetBytes) return "the header target is too long";
        command.target = value;
    } else if (name == header::kRequestedAt || name == header::kDeadline) {
        const auto ms = parse_integer<std::int64_t>(value);
        if (!ms) return "a time header is not a decimal number of milliseconds";
        if (name == header::kDeadline) {
            command.deadline = log_time(*ms);
        } else {
            command.requested_at = log_time(*ms);
        }
    } else if (name == header::kGateGeneration) {
        const auto generation = parse_integer<std::uint64_t>(value);
        if (!generation) return "the header gate_generation is not a decimal number";
        command.admitted_under = GateGeneration(*generation);
    } else if (name == header::kReplyTo) {
        // Others name their reply places otherwise; that is not ours to answer.
        command.reply_to = parse_integer<std::uint32_t>(value);
    } else if (name == header::kTraceparent) {
        command.traceparent = value;
    }
    return nullptr;
}

}  // namespace

bool is_valid_id(std::string_view id_text) {
    return !id_text.empty() && id_text.size() <= kMaxIdBytes && is_printable(id_text);
}

Hash128 body_hash(const Command& command) {
    return hash_fields(
        {as_bytes(command.type), as_bytes(command.target), as_bytes(command.key), command.data});
}

std::variant<Command, Undecodable> decode(const Logged& record, std::string_view default_type) {
    Command command;
    command.type = default_type;
    const char* wrong = nullptr;
    for (const Header& h : record.headers) {
        const char* found = take_header(command, h.name, as_text(h.value));
        if (wrong == nullptr) wrong = found;
    }
    std::optional<Uuid> id;
    if (!command.id_text.empty()) id = command.id;
    if (wrong != nullptr) return Undecodable{wrong, id};
    if (!id) return Undecodable{"the record has no header id", id};
    if (command.type.empty()) return Undecodable{"the record has no header type", id};
    if (!record.key) return Undecodable{"the record has no key", id};
    if (!record.value) return Undecodable{"the record is a tombstone", id};
    command.key = as_text(*record.key);
    command.data = *record.value;
    command.offset = record.offset;
    command.logged_at = record.time;
    command.layout = record.layout;
    return command;
}

CommandRecord::CommandRecord(const Command& command) : command_(command) {
    add(header::kId, command.id_text);
    add(header::kType, command.type);
    if (!command.target.empty()) add(header::kTarget, command.target);
    add(header::kRequestedAt, write_integer(numbers_[0], unix_ms(command.requested_at)));
    if (command.deadline) {
        add(header::kDeadline, write_integer(numbers_[1], unix_ms(*command.deadline)));
    }
    if (command.admitted_under) {
        add(header::kGateGeneration, write_integer(numbers_[2], command.admitted_under->value()));
    }
    if (command.reply_to) add(header::kReplyTo, write_integer(numbers_[3], *command.reply_to));
    if (!command.traceparent.empty()) add(header::kTraceparent, command.traceparent);
}

void CommandRecord::add(std::string_view name, std::string_view value) {
    headers_[count_++] = Header{name, as_bytes(value)};
}

Record CommandRecord::record() const {
    return Record{as_bytes(command_.key), command_.data, std::span(headers_, count_),
                  command_.layout};
}

}  // namespace penstock
