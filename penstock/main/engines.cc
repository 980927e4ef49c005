#include "penstock/main/engines.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/failpoint.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/log/file/file_log.h"
#include "penstock/log/file/file_log_view.h"
#include "penstock/store/sqlite/sqlite_store.h"
#if PENSTOCK_ENGINES
#include "penstock/log/kafka/kafka_log.h"
#include "penstock/store/mariadb/mariadb_store.h"
#include "penstock/store/postgres/postgres_store.h"
#endif

namespace penstock {
namespace {

[[maybe_unused]] Error not_built(std::string_view setting, std::string_view kind) {
    return error(Code::unsafe, fmt::format("{} = \"{}\" is not part of this program: it was built "
                                           "without PENSTOCK_ENGINES",
                                           setting, kind));
}

Error missing(std::string_view setting, std::string_view example) {
    return error(Code::unsafe, fmt::format("{} is needed, such as {}", setting, example));
}

template <class Port, class Adapter>
Result<std::unique_ptr<Port>> as(Result<std::unique_ptr<Adapter>> opened) {
    if (!opened) return std::move(opened).error();
    return std::unique_ptr<Port>(std::move(*opened));
}

/// As refused_at(): every error of an engine's opening passes here.
template <class T>
Result<T> opened_at(std::string_view setting, Result<T> opened) {
    if (opened) return opened;
    return refused_at(setting, std::move(opened).error());
}

DataDirectory data_of(const cli::Settings& settings) {
    return {settings.data};
}

#if PENSTOCK_ENGINES
/// host or host:port.
bool is_address(std::string_view text) {
    const auto colon = text.rfind(':');
    const bool bare = colon == text.npos || text.ends_with(']');
    const std::string_view port = bare ? "9092" : text.substr(colon + 1);
    const std::string_view host = bare ? text : text.substr(0, colon);
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return !host.empty() && host.find_first_of("/@ \t") == host.npos && !port.empty() &&
           port.size() <= 5 && std::all_of(port.begin(), port.end(), digit);
}

/// Here, since the client takes what it cannot read for no address at all, and waits.
Result<void> check_brokers(std::string_view brokers) {
    while (true) {
        const auto comma = std::min(brokers.find(','), brokers.size());
        std::string_view one = brokers.substr(0, comma);
        while (one.starts_with(' ')) one.remove_prefix(1);
        while (one.ends_with(' ')) one.remove_suffix(1);
        if (!is_address(one)) {
            return error(Code::unsafe,
                         "log.brokers must be addresses, such as \"kafka-1:9092,kafka-2:9092\"");
        }
        if (comma == brokers.size()) return {};
        brokers.remove_prefix(comma + 1);
    }
}

Result<std::unique_ptr<Log>> open_kafka(Env& env, const cli::Settings& settings,
                                        EngineObserver* observer) {
    if (settings.log.brokers.empty()) return missing("log.brokers", "\"127.0.0.1:9092\"");
    PENSTOCK_TRY(check_brokers(settings.log.brokers));
    KafkaLogOptions options;
    options.brokers = settings.log.brokers;
    options.accept_data_loss = settings.log.accept_data_loss;
    options.replication_factor = settings.log.replication_factor;
    options.min_insync_replicas = settings.log.min_insync_replicas;
    options.observer = observer;
    for (const std::string& property : settings.log.properties) {
        const auto equals = property.find('=');
        if (equals == std::string::npos) {
            return error(Code::unsafe,
                         fmt::format("log.properties: '{}' is not name=value", property));
        }
        options.properties[property.substr(0, equals)] = property.substr(equals + 1);
    }
    auto opened = as<Log>(KafkaLog::open(env, options));
    if (opened) return opened;
    // Whoever was reached has not been asked for anything yet but to read the properties.
    const bool reached = opened.error().code != Code::unreachable;
    return refused_at(reached ? "log.properties" : "log.brokers", std::move(opened).error());
}
#endif

Result<std::unique_ptr<Store>> open_server(Env& env, const cli::Settings& settings) {
#if PENSTOCK_ENGINES
    if (settings.store.url.empty()) {
        return missing("store.url",
                       fmt::format("\"{}://user:password@127.0.0.1/penstock\"",
                                   settings.store.kind == "postgres" ? "postgresql" : "mariadb"));
    }
    if (settings.store.kind == "postgres") {
        return opened_at("store.url",
                         as<Store>(PostgresStore::open(
                             {.url = settings.store.url, .writers = settings.store.writers}, env)));
    }
    return opened_at("store.url",
                     as<Store>(MariadbStore::open(
                         {.url = settings.store.url, .writers = settings.store.writers}, env)));
#else
    (void)env;
    return not_built("store.kind", settings.store.kind);
#endif
}

}  // namespace

#if PENSTOCK_ENGINES
void EngineObserver::renewed(const std::string& why, std::size_t unknown) noexcept {
    tell(
        fmt::format("the producer was made anew after a fatal error ({}); {} records were in "
                    "doubt",
                    why, unknown));
}

void EngineObserver::rebuild_needed(std::string_view resource, std::string_view why) noexcept {
    tell(
        fmt::format("the gate is rebuilt{}{}: {}", resource.empty() ? "" : " for ", resource, why));
    gate_needs_rebuild();
}

void EngineObserver::settlements_dropped(std::string_view resource, std::string_view why) noexcept {
    rebuild_needed(resource, why);
    gate_in_doubt();
}
#endif

Error refused_at(std::string_view setting, Error why) {
    if (why.code == Code::invalid) why.code = Code::unsafe;
    if (!setting.empty()) why.text = fmt::format("{}: {}", setting, why.text);
    return why;
}

Error refused_by_store(const cli::Settings& settings, Error why) {
    return refused_at(settings.store.kind == "sqlite" ? "" : "store.url", std::move(why));
}

Result<bool> is_shared(const cli::Settings& settings) {
    const bool log = settings.log.kind == "kafka", store = settings.store.kind != "sqlite",
               gate = settings.gate.kind == "redis";
    if (log && store && !gate) {
        return error(Code::unsafe,
                     "log.kind = \"kafka\" with store.kind = \"" + settings.store.kind +
                         "\" lets other processes join, and a gate in memory is not theirs: set "
                         "gate.kind = \"redis\"");
    }
    return log && store && gate;
}

bool needs_data_directory(const cli::Settings& settings) {
    return settings.log.kind == "file" || settings.store.kind == "sqlite";
}

Result<std::unique_ptr<Store>> open_store(Env& env, const cli::Settings& settings) {
    if (settings.store.kind != "sqlite") return open_server(env, settings);
    auto store = SqliteStore::open({.path = data_of(settings).database()}, env);
    if (!store) return std::move(store).error();
    // SQLite does not sync the name of a database that it has made.
    PENSTOCK_TRY(env.files.sync_directory(settings.data));
    return std::unique_ptr<Store>(std::move(*store));
}

Result<std::unique_ptr<Store>> open_store_to_read(Env& env, const cli::Settings& settings) {
    if (settings.store.kind != "sqlite") return open_server(env, settings);
    return as<Store>(
        SqliteStore::open({.path = data_of(settings).database(), .read_only = true}, env));
}

Result<std::unique_ptr<Log>> open_log(Env& env, const cli::Settings& settings,
                                      const std::map<TopicPartition, Owned>& applied,
                                      EngineObserver& observer) {
    if (settings.log.kind == "kafka") {
#if PENSTOCK_ENGINES
        return open_kafka(env, settings, &observer);
#else
        return not_built("log.kind", settings.log.kind);
#endif
    }
    FileLogOptions options;
    options.directory = data_of(settings).log();
    options.segment_bytes = settings.log.segment_bytes;
    options.scrub_bytes_per_s = settings.log.scrub_bytes_per_s;
    options.observer = &observer;
    options.on_fatal = [&observer](const Error& why) { observer.disk_failed(why); };
    for (const auto& [at, row] : applied) options.applied[at] = {row.next, row.fingerprint};
    return as<Log>(FileLog::open(env, options));
}

Result<std::unique_ptr<Log>> open_log_to_read(Env& env, const cli::Settings& settings) {
    if (settings.log.kind == "kafka") {
#if PENSTOCK_ENGINES
        return open_kafka(env, settings, nullptr);
#else
        return not_built("log.kind", settings.log.kind);
#endif
    }
    return std::unique_ptr<Log>(std::make_unique<FileLogView>(env, data_of(settings).log()));
}

Result<std::unique_ptr<Gate>> open_gate(Env& env, const cli::Settings& settings,
                                        EngineObserver& observer) {
    if (settings.gate.kind == "local")
        return std::unique_ptr<Gate>(std::make_unique<LocalGate>(env));
#if PENSTOCK_ENGINES
    RedisGateOptions options;
    options.url = settings.gate.url;
    options.prefix = settings.gate.prefix;
#if PENSTOCK_FAILPOINTS
    if (const auto name = failpoint("gate.without")) options.without = gate_check_of(*name);
#endif
    return opened_at("gate.url", as<Gate>(RedisGate::open(env, options, observer)));
#else
    (void)observer;
    return not_built("gate.kind", settings.gate.kind);
#endif
}

}  // namespace penstock
