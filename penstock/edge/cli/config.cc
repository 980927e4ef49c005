#include "penstock/edge/cli/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <sstream>
#include <variant>

#include "penstock/edge/cli/toml.h"

namespace penstock::cli {
namespace {

using Given = std::variant<std::int64_t, bool, std::string, std::vector<std::string>>;

/// What a key may be, and how it is taken. Returns what it may be if `given` is not that.
struct Key {
    std::string name;  ///< section.key
    std::function<std::optional<std::string>(Settings&, const Given&)> take;
};

std::optional<std::int64_t> whole_number(const Given& given) {
    if (const auto* number = std::get_if<std::int64_t>(&given)) return *number;
    const auto* text = std::get_if<std::string>(&given);
    if (text == nullptr) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return number;
}

template <class Integer>
auto number_key(Integer& (*member)(Settings&), std::int64_t least, std::int64_t most) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto number = whole_number(given);
        if (!number || *number < least || *number > most) {
            return fmt::format("a whole number from {} to {}", least, most);
        }
        member(settings) = static_cast<Integer>(*number);
        return std::nullopt;
    };
}

auto bytes_key(std::function<void(Settings&, std::uint64_t)> set, std::uint64_t least) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        std::optional<std::uint64_t> bytes;
        if (const auto* number = std::get_if<std::int64_t>(&given); number && *number >= 0) {
            bytes = static_cast<std::uint64_t>(*number);
        } else if (const auto* text = std::get_if<std::string>(&given)) {
            bytes = parse_bytes(*text);
        }
        if (!bytes || *bytes < least) {
            return fmt::format("a number of bytes of {} or more, such as \"64MiB\"", least);
        }
        set(settings, *bytes);
        return std::nullopt;
    };
}

auto duration_key(std::function<void(Settings&, std::chrono::milliseconds)> set,
                  std::chrono::milliseconds least) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto* text = std::get_if<std::string>(&given);
        const auto duration = text == nullptr ? std::nullopt : parse_duration(*text);
        if (!duration || *duration < least) {
            return fmt::format("a duration of {} s or more, such as \"30s\", \"12h\" or \"7d\"",
                               least.count() / 1000);
        }
        set(settings, *duration);
        return std::nullopt;
    };
}

auto text_key(std::string& (*member)(Settings&)) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto* text = std::get_if<std::string>(&given);
        if (text == nullptr || text->empty()) return "a text";
        member(settings) = *text;
        return std::nullopt;
    };
}

auto choice_key(std::string& (*member)(Settings&), std::vector<std::string> choices) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto* text = std::get_if<std::string>(&given);
        if (text == nullptr || std::find(choices.begin(), choices.end(), *text) == choices.end()) {
            return fmt::format("one of \"{}\"", fmt::join(choices, "\", \""));
        }
        member(settings) = *text;
        return std::nullopt;
    };
}

/// Redis takes what stands in braces for the part of a key that decides on its place; the gate sets
/// its own.
std::optional<std::string> prefix_key(Settings& settings, const Given& given) {
    const auto* text = std::get_if<std::string>(&given);
    if (text == nullptr || text->empty() || text->find_first_of("{}") != text->npos) {
        return "a text without { and }";
    }
    settings.gate.prefix = *text;
    return std::nullopt;
}

/// In the environment: a list with commas.
auto list_key(std::vector<std::string>& (*member)(Settings&), const char* of) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        std::vector<std::string>& into = member(settings);
        if (const auto* list = std::get_if<std::vector<std::string>>(&given)) {
            into = *list;
            return std::nullopt;
        }
        const auto* text = std::get_if<std::string>(&given);
        if (text == nullptr) return std::string("a list of ") + of;
        into.clear();
        std::stringstream in(*text);
        for (std::string one; std::getline(in, one, ',');) {
            if (!one.empty()) into.push_back(one);
        }
        return std::nullopt;
    };
}

auto flag_key(bool& (*member)(Settings&)) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto* flag = std::get_if<bool>(&given);
        const auto* text = std::get_if<std::string>(&given);
        if (flag == nullptr && (text == nullptr || (*text != "true" && *text != "false"))) {
            return "true or false";
        }
        member(settings) = flag != nullptr ? *flag : *text == "true";
        return std::nullopt;
    };
}

auto replicas_key(std::optional<std::uint32_t>& (*member)(Settings&)) {
    return [=](Settings& settings, const Given& given) -> std::optional<std::string> {
        const auto number = whole_number(given);
        if (!number || *number < 1 || *number > 100) return "a whole number from 1 to 100";
        member(settings) = static_cast<std::uint32_t>(*number);
        return std::nullopt;
    };
}

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

const std::vector<Key>& keys() {
    using S = Settings;
    static const std::vector<Key> all = {
        {"data", text_key([](S& s) -> std::string& { return s.data; })},
        {"log.kind",
         choice_key([](S& s) -> std::string& { return s.log.kind; }, {"file", "kafka"})},
        {"log.segment_bytes",
         bytes_key([](S& s, std::uint64_t v) { s.log.segment_bytes = v; }, 1 << 20)},
        {"log.retention_time",
         duration_key([](S& s, std::chrono::milliseconds v) { s.log.retention_time = v; },
                      std::chrono::seconds(60))},
        {"log.retention_bytes",
         bytes_key([](S& s, std::uint64_t v) { s.log.retention_bytes = v; }, 1 << 20)},
        {"log.scrub_bytes_per_s",
         bytes_key([](S& s, std::uint64_t v) { s.log.scrub_bytes_per_s = v; }, 0)},
        {"log.low_water_bytes",
         bytes_key([](S& s, std::uint64_t v) { s.log.low_water_bytes = v; }, 0)},
        {"log.partitions", number_key(
                               +[](S& s) -> std::uint32_t& { return s.log.partitions; }, 1, 1024)},
        {"log.brokers", text_key([](S& s) -> std::string& { return s.log.brokers; })},
        {"log.adopt", text_key([](S& s) -> std::string& { return s.log.adopt; })},
        {"log.accept_data_loss", flag_key([](S& s) -> bool& { return s.log.accept_data_loss; })},
        {"log.replication_factor", replicas_key([](S& s) -> std::optional<std::uint32_t>& {
             return s.log.replication_factor;
         })},
        {"log.min_insync_replicas", replicas_key([](S& s) -> std::optional<std::uint32_t>& {
             return s.log.min_insync_replicas;
         })},
        {"log.properties",
         list_key([](S& s) -> std::vector<std::string>& { return s.log.properties; },
                  "name=value texts")},
        {"gate.url", text_key([](S& s) -> std::string& { return s.gate.url; })},
        {"gate.prefix", prefix_key},
        {"store.url", text_key([](S& s) -> std::string& { return s.store.url; })},
        {"store.writers", number_key(
                              +[](S& s) -> std::uint32_t& { return s.store.writers; }, 1, 64)},
        {"runtime.group", text_key([](S& s) -> std::string& { return s.runtime.group; })},
        {"runtime.lease",
         duration_key([](S& s, std::chrono::milliseconds v) { s.runtime.lease = v; },
                      std::chrono::seconds(1))},
        {"gate.kind",
         choice_key([](S& s) -> std::string& { return s.gate.kind; }, {"local", "redis"})},
        {"store.kind", choice_key([](S& s) -> std::string& { return s.store.kind; },
                                  {"sqlite", "postgres", "mariadb"})},
        {"store.max_rows_per_s",
         number_key(
             +[](S& s) -> std::uint32_t& { return s.store.max_rows_per_s; }, 0, kMaxInt32)},
        {"runtime.dedup_horizon",
         duration_key([](S& s, std::chrono::milliseconds v) { s.runtime.dedup_horizon = v; },
                      std::chrono::seconds(60))},
        {"runtime.max_in_line",
         number_key(
             +[](S& s) -> std::uint32_t& { return s.runtime.max_in_line; }, 1, 1 << 24)},
        {"http.listen", text_key([](S& s) -> std::string& { return s.http.listen; })},
        {"http.unix_socket", text_key([](S& s) -> std::string& { return s.http.unix_socket; })},
        {"http.allowed_hosts",
         list_key([](S& s) -> std::vector<std::string>& { return s.http.allowed_hosts; },
                  "host names")},
        {"logging.level", choice_key([](S& s) -> std::string& { return s.logging.level; },
                                     {"debug", "info", "warning", "error"})},
        {"logging.format",
         choice_key([](S& s) -> std::string& { return s.logging.format; }, {"text", "json"})},
    };
    return all;
}

/// Edits (insert, delete, replace) from one text to the other: Levenshtein, Soviet Physics Doklady
/// 10(8), 1966.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

Error wrong(std::string text) {
    return error(Code::unsafe, std::move(text));
}

Error unknown_key(std::string_view where, std::string_view name) {
    const auto nearest =
        std::min_element(keys().begin(), keys().end(), [&](const Key& a, const Key& b) {
            return edit_distance(a.name, name) < edit_distance(b.name, name);
        });
    return wrong(
        fmt::format("{}: there is no setting {}; the nearest is {}", where, name, nearest->name));
}

Result<void> take(Settings& settings, std::string_view where, std::string_view name,
                  const Given& given) {
    const auto key =
        std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.name == name; });
    if (key == keys().end()) return unknown_key(where, name);
    if (const auto expected = key->take(settings, given)) {
        return wrong(fmt::format("{}: {} must be {}", where, name, *expected));
    }
    return {};
}

std::optional<Given> given_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return Given(text->get());
    if (const auto* number = node.as_integer()) return Given(number->get());
    if (const auto* flag = node.as_boolean()) return Given(flag->get());
    const auto* array = node.as_array();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
        const auto* text = element.as_string();
        if (text == nullptr) return std::nullopt;
        texts.push_back(text->get());
    }
    return Given(std::move(texts));
}

Result<void> take_table(Settings& settings, const std::string& file, const std::string& prefix,
                        const toml::table& table) {
    for (const auto& [key, node] : table) {
        const std::string name = prefix + std::string(key.str());
        if (const auto* section = node.as_table(); section != nullptr && prefix.empty()) {
            PENSTOCK_TRY(take_table(settings, file, name + ".", *section));
            continue;
        }
        const auto given = given_of(node);
        const std::string where = fmt::format("{}:{}", file, node.source().begin.line);
        // A table or a fraction: no setting is one; take() says what it must be.
        PENSTOCK_TRY(take(settings, where, name, given.value_or(Given(false))));
    }
    return {};
}

/// TOML has none of them outside escapes; the parser takes their absence for granted.
Result<void> refuse_control_characters(std::string_view toml, const std::string& name) {
    std::size_t line = 1;
    for (const char c : toml) {
        if (c == '\n') ++line;
        const auto code = static_cast<unsigned char>(c);
        if ((code >= 0x20 && code != 0x7f) || c == '\n' || c == '\r' || c == '\t') continue;
        return wrong(fmt::format("{}:{}: there is a control character (0x{:02x}); this is no text",
                                 name, line, code));
    }
    return {};
}

/// PENSTOCK_STORE_MAX_ROWS_PER_S names store.max_rows_per_s.
std::string variable_of(const Key& key) {
    std::string name = "PENSTOCK_" + key.name;
    for (char& c : name) c = c == '.' ? '_' : static_cast<char>(std::toupper(c));
    return name;
}

/// Null: the variable names no setting.
const Key* key_of(const std::string& variable) {
    const auto found = std::find_if(keys().begin(), keys().end(),
                                    [&](const Key& k) { return variable_of(k) == variable; });
    return found == keys().end() ? nullptr : &*found;
}

std::string nearest_variable(const std::string& variable) {
    const auto nearest =
        std::min_element(keys().begin(), keys().end(), [&](const Key& a, const Key& b) {
            return edit_distance(variable_of(a), variable) <
                   edit_distance(variable_of(b), variable);
        });
    return variable_of(*nearest);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
        {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || number < 0) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& [name, ms] : kUnits) {
        if (unit != name || number > std::numeric_limits<std::int64_t>::max() / 1'000'000 / ms) {
            continue;
        }
        return std::chrono::milliseconds(number * ms);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    static constexpr std::pair<std::string_view, int> kUnits[] = {
        {"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{}) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& [name, shift] : kUnits) {
        if (unit == name && number <= (std::numeric_limits<std::uint64_t>::max() >> 1 >> shift)) {
            return number << shift;
        }
    }
    return std::nullopt;
}

std::map<std::string, std::string> penstock_environment() {
    std::map<std::string, std::string> found;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (text.substr(0, 9) != "PENSTOCK_" || equals == std::string_view::npos) continue;
        found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return found;
}

Result<Settings> parse_settings(std::string_view toml, const std::string& name,
                                const std::map<std::string, std::string>& environment) {
    Settings settings;
    PENSTOCK_TRY(refuse_control_characters(toml, name));
    try {
        const toml::table table = toml::parse(toml, name);
        PENSTOCK_TRY(take_table(settings, name, "", table));
    } catch (const toml::parse_error& failure) {
        return wrong(
            fmt::format("{}:{}: {}", name, failure.source().begin.line, failure.description()));
    }
    for (const auto& [variable, value] : environment) {
        const Key* key = key_of(variable);
        if (key == nullptr) {
            return wrong(
                fmt::format("the environment variable {} names no setting; the nearest "
                            "is {}",
                            variable, nearest_variable(variable)));
        }
        PENSTOCK_TRY(take(settings, "environment " + variable, key->name, Given(value)));
    }
    return settings;
}

Result<Settings> load_settings(const std::optional<std::string>& file,
                               const std::map<std::string, std::string>& environment) {
    if (!file) return parse_settings("", "", environment);
    std::ifstream in(*file);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) return wrong(fmt::format("the configuration file {} cannot be read", *file));
    return parse_settings(text.str(), *file, environment);
}

}  // namespace penstock::cli
