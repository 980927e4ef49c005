#include "penstock/gate/redis/batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/gate/redis/message_pack.h"

namespace penstock {
namespace {

bool stands_for_itself(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/';
}

std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (stands_for_itself(c)) {
            text += c;
        } else {
            text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return text;
}

/// The field of a holder, never as long as an id.
void put_holder(std::string& out, std::string_view holder) {
    const bool as_long = holder.size() + 1 == sizeof(Uuid);
    message_pack::put_text(out, {as_long ? "g" : "h", holder, as_long ? "." : ""});
}

}  // namespace

ResourceKeys::ResourceKeys(std::string_view prefix, std::string_view resource) {
    units = fmt::format("{}{{{}}}", prefix, escaped(resource));
    back = units + ":back";
}

void Batch::add(ClaimOp op, std::string_view holder) {
    op.holder_at = static_cast<std::uint32_t>(holders.size());
    op.holder_size = static_cast<std::uint32_t>(holder.size());
    holders += holder;
    ops.push_back(op);
}

std::unique_ptr<Batch> Batch::settlements() const {
    if (call != nullptr) return nullptr;
    std::unique_ptr<Batch> kept;
    for (const ClaimOp& op : ops) {
        if (op.kind == OpKind::ask) continue;
        if (!kept) kept = std::make_unique<Batch>();
        kept->add(op, holder_of(op));
    }
    return kept;
}

void ClaimArguments::encode(const Batch& batch) {
    for (std::string* text : {&fields, &kinds, &quantities, &later}) text->clear();
    const std::vector<ClaimOp>& ops = batch.ops;
    message_pack::put_array(fields, 1 + 2 * ops.size());
    message_pack::put_text(fields, "s");
    bool only_asks = true, only_ones = true, one_time = true;
    for (const ClaimOp& op : ops) {
        message_pack::put_text(fields, as_text(std::as_bytes(std::span(op.id.bytes))));
        only_asks = only_asks && op.kind == OpKind::ask;
        only_ones = only_ones && op.quantity == 1;
        one_time = one_time && op.now == ops.front().now;
    }
    for (const ClaimOp& op : ops) put_holder(fields, batch.holder_of(op));
    base = ops.empty() ? "0" : std::to_string(lua_ms(ops.front().now));
    if (!only_asks) {
        for (const ClaimOp& op : ops) kinds += static_cast<char>(op.kind);
    }
    if (!only_ones) {
        message_pack::put_array(quantities, ops.size());
        for (const ClaimOp& op : ops) message_pack::put_number(quantities, op.quantity);
    }
    if (!one_time) {
        message_pack::put_array(later, ops.size());
        for (const ClaimOp& op : ops) {
            message_pack::put_number(later, lua_ms(op.now) - lua_ms(ops.front().now));
        }
    }
}

std::int64_t lua_ms(LogTime time) {
    constexpr std::int64_t kMost = 99'999'999'999'999;
    return std::clamp(unix_ms(time), -kMost, kMost);
}

std::string digits(GateGeneration generation) {
    return fmt::format("{:020}", generation.value());
}

}  // namespace penstock
