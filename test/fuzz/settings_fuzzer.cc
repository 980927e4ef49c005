// FZ5: bytes as a settings file with environment variables, and as a command line. Whatever is
// taken serves on loopback only, keeps within its bounds, and reads the same again.
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/edge/cli/config.h"
#include "penstock/edge/http/listen.h"
#include "penstock/main/command_line.h"
#include "penstock/main/serve_options.h"

namespace penstock {
namespace {

/// Cuts off what stands before `separator`.
std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view head = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return head;
}

void check_serves_safely(const cli::Settings& settings) {
    const auto options = serve_options(settings);
    if (!options) {
        PENSTOCK_CHECK(!options.error().text.empty());
        return;
    }
    const auto address = http::parse_listen(options->http.listen);
    PENSTOCK_CHECK(address.ok());
    PENSTOCK_CHECK(address->host == "127.0.0.1" || address->host == "::1");
    PENSTOCK_CHECK(options->node.max_in_line >= 1);
    PENSTOCK_CHECK(options->node.dedup_horizon >= std::chrono::seconds(60));
    PENSTOCK_CHECK(settings.log.segment_bytes >= 1 << 20);
    PENSTOCK_CHECK(options->node.alone || settings.gate.kind == "redis");
}

/// NAME=VALUE lines, an empty line, then the file.
void as_settings(std::string_view text) {
    std::map<std::string, std::string> environment;
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (line.empty()) break;
        const std::string_view name = take_until(line, '=');
        environment["PENSTOCK_" + std::string(name)] = std::string(line);
    }
    const auto settings = cli::parse_settings(text, "penstock.toml", environment);
    const auto again = cli::parse_settings(text, "penstock.toml", environment);
    PENSTOCK_CHECK(settings.ok() == again.ok());
    if (!settings) {
        PENSTOCK_CHECK(settings.error().code == Code::unsafe && !settings.error().text.empty());
        PENSTOCK_CHECK(settings.error().text == again.error().text);
        return;
    }
    PENSTOCK_CHECK(settings->http.listen == again->http.listen && settings->data == again->data);
    check_serves_safely(*settings);
}

/// A word a line; what it would do is not done.
void as_command_line(std::string_view text) {
    std::vector<std::string> words = {"penstock"};
    while (!text.empty() && words.size() < 64) words.emplace_back(take_until(text, '\n'));
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    CommandLine line;
    std::ostringstream out, err;
    const auto read = line.parse(static_cast<int>(arguments.size()), arguments.data(), out, err);
    if (const int* code = std::get_if<int>(&read)) {
        PENSTOCK_CHECK(*code == 0 ? !out.str().empty() : *code == 2 && !err.str().empty());
        return;
    }
    cli::Settings settings;
    if (line.flags().listen) settings.http.listen = *line.flags().listen;
    check_serves_safely(settings);
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.empty()) return 0;
    if (text[0] == 'c') {
        penstock::as_command_line(text.substr(1));
    } else {
        penstock::as_settings(text.substr(1));
    }
    return 0;
}
