#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::cli {

/// Every setting with its default. Order of precedence: flag, environment
/// (PENSTOCK_SECTION_KEY), file (penstock.toml), default.
struct Settings {
    struct Log {
        std::string kind = "file";
        std::uint64_t segment_bytes = 64ull << 20;
        std::optional<std::chrono::milliseconds> retention_time;     ///< none: as long as it fits
        std::optional<std::uint64_t> retention_bytes = 16ull << 30;  ///< per partition
        std::uint64_t scrub_bytes_per_s = 8ull << 20;
        std::uint64_t low_water_bytes = 256ull << 20;
        std::uint32_t partitions = 1;  ///< of topics that are created
        // kind "kafka"
        std::string brokers;
        bool accept_data_loss = false;
        std::string adopt;  ///< the line of a topic that becomes this store's, or `unmarked`
        std::optional<std::uint32_t> replication_factor, min_insync_replicas;
        std::vector<std::string> properties;  ///< of librdkafka, name=value
    } log;
    struct Gate {
        std::string kind = "local";
        std::string url = "redis://127.0.0.1:6379";
        std::string prefix = "penstock:";
    } gate;
    struct Store {
        std::string kind = "sqlite";
        std::string url;            ///< of a server
        std::uint32_t writers = 2;  ///< lanes of this process on a server
        std::uint32_t max_rows_per_s = 0;
    } store;
    struct Runtime {
        std::chrono::milliseconds dedup_horizon = std::chrono::hours(24 * 7);
        std::uint32_t max_in_line = 65'536;
        std::string group = "penstock";
        std::chrono::milliseconds lease{3'000};  ///< of a process among others
    } runtime;
    struct Http {
        std::string listen = "127.0.0.1:8080";
        std::string unix_socket;
        std::vector<std::string> allowed_hosts;
    } http;
    struct Logging {
        std::string level = "info";   ///< debug, info, warning, error
        std::string format = "text";  ///< text, json
    } logging;
    std::string data = "./penstock-data";
};

/// The settings of `file` (none: only defaults) under `environment` ("PENSTOCK_…" → value).
/// Unknown keys, wrong types and values out of range are `unsafe` (exit 78); the text names the
/// key, what it may be, and for an unknown one the nearest that exists.
Result<Settings> load_settings(const std::optional<std::string>& file,
                               const std::map<std::string, std::string>& environment);

/// As above, from the text of a file called `name`.
Result<Settings> parse_settings(std::string_view toml, const std::string& name,
                                const std::map<std::string, std::string>& environment);

/// Variables of this process that begin with PENSTOCK_.
std::map<std::string, std::string> penstock_environment();

/// "250ms", "30s", "15m", "12h", "7d"; nothing else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// "1048576", "64KiB", "512MiB", "16GiB"; nothing else.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace penstock::cli
