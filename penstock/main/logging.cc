#include "penstock/main/logging.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "penstock/edge/http/response.h"

namespace penstock {
namespace {

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The message, which may quote what strangers sent, as it can stand in a line of the log.
class SafeMessage final : public spdlog::custom_flag_formatter {
public:
    explicit SafeMessage(bool json) : json_(json) {}

    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& into) override {
        const std::string_view raw(message.payload.data(), message.payload.size());
        const std::string text = json_ ? http::json_string(raw) : one_line(raw);
        into.append(text.data(), text.data() + text.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override {
        return spdlog::details::make_unique<SafeMessage>(json_);
    }

private:
    const bool json_;
};

}  // namespace

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        line += is_control(c) ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c))
                              : std::string(1, c);
    }
    return line;
}

void set_up_logging(const cli::Settings::Logging& logging) {
    const bool json = logging.format == "json";
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<SafeMessage>('*', json).set_pattern(
        json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","text":%*})"
             : "%Y-%m-%dT%H:%M:%S.%eZ %l %*");
    auto logger = std::make_shared<spdlog::logger>(
        "penstock", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::move(formatter));
    logger->set_level(spdlog::level::from_str(logging.level));
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace penstock
