#include "penstock/edge/load/load_history.h"

#include <fmt/format.h>

namespace penstock::load {
namespace {

constexpr std::size_t kBuffer = 1 << 20;

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

Result<LoadHistory> LoadHistory::open(FileSystem& files, const LoadOptions& options) {
    LoadHistory history;
    if (options.history.empty()) return history;
    auto file = files.open(options.history, OpenMode::create);
    if (!file) return std::move(file).error();
    PENSTOCK_TRY((*file)->truncate(0));
    history.file_ = std::move(*file);
    history.middle_ = "\",\"type\":\"sale.claim\",\"key\":";
    append_quoted(history.middle_, options.campaign);
    history.middle_ += ",\"user_id\":\"" + options.user_prefix;
    history.quantity_ = "\",\"quantity\":" + std::to_string(options.quantity);
    history.buffer_.reserve(kBuffer + 4096);
    return history;
}

void LoadHistory::add(const Claim& claim, const ClaimAnswer& answer) {
    if (!file_) return;
    char user[kUserDigits];
    write_user(claim.user, user);
    buffer_ += "{\"id\":\"";
    buffer_ += claim.id_text();
    buffer_ += middle_;
    buffer_.append(user, kUserDigits);
    buffer_ += quantity_;
    buffer_ += ",\"status\":";
    buffer_ += std::to_string(answer.status);
    buffer_ += ",\"body\":";
    append_quoted(buffer_, answer.body);
    buffer_ += "}\n";
    if (buffer_.size() >= kBuffer) flush();
}

Result<void> LoadHistory::finish() {
    if (file_) flush();
    return state_;
}

void LoadHistory::flush() {
    if (state_) state_ = file_->write(written_, as_bytes(buffer_));
    written_ += buffer_.size();
    buffer_.clear();
}

}  // namespace penstock::load
