#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/env.h"
#include "penstock/edge/cli/config.h"
#include "penstock/gate/gate.h"
#include "penstock/log/file/options.h"
#include "penstock/log/log.h"
#include "penstock/main/data_directory.h"
#include "penstock/runtime/ownership.h"
#include "penstock/store/store.h"
#if PENSTOCK_ENGINES
#include "penstock/gate/redis/redis_gate.h"
#include "penstock/log/kafka/options.h"
#endif

/// The adapters by the names that settings give them. Nothing else names one.
namespace penstock {

/// What adapters tell the process. Threads: any; must not wait.
class EngineObserver : public FileLogObserver
#if PENSTOCK_ENGINES
    ,
                       public KafkaLogObserver,
                       public RedisGateObserver
#endif
{
public:
    virtual void log_synced(std::size_t records, std::size_t bytes,
                            std::chrono::nanoseconds took) noexcept = 0;
    virtual void tell(const std::string& text) noexcept = 0;   ///< the operator
    virtual void alarm(const std::string& text) noexcept = 0;  ///< the same, urgent
    virtual void gate_needs_rebuild() noexcept = 0;
    virtual void gate_in_doubt() noexcept = 0;  ///< it needs one even if it seems whole
    /// What the disk says cannot be believed: the process may not go on.
    virtual void disk_failed(const Error& why) noexcept = 0;

    void synced(std::size_t records, std::size_t bytes,
                std::chrono::nanoseconds took) noexcept final {
        log_synced(records, bytes, took);
    }
    void note(const std::string& text) noexcept final {
        tell(text);
    }
    void partition_stopped(const TopicPartition&, const Error& why) noexcept final {
        alarm(why.text);
    }
#if PENSTOCK_ENGINES
    void renewed(const std::string& why, std::size_t unknown) noexcept final;
    void rebuild_needed(std::string_view resource, std::string_view why) noexcept final;
    void settlements_dropped(std::string_view resource, std::string_view why) noexcept final;
    void disconnected(const Error& why) noexcept final {
        tell(why.text);
    }
#endif
};

/// Do other processes of the same settings share log, gate and store? unsafe: the combination is
/// not safe; says which setting to change.
Result<bool> is_shared(const cli::Settings& settings);
/// What a start is refused for, with the name of the setting that leads there. What a setting or a
/// server says is wrong is no wrong usage of the command: `invalid` becomes `unsafe`.
Error refused_at(std::string_view setting, Error why);
/// The same of what the store says after it was opened; a file in the data directory has no setting
/// of its own.
Error refused_by_store(const cli::Settings& settings, Error why);
/// Does anything of it lie in the data directory?
bool needs_data_directory(const cli::Settings& settings);

Result<std::unique_ptr<Store>> open_store(Env& env, const cli::Settings& settings);
/// For verify: SQLite without a trace in the data directory.
Result<std::unique_ptr<Store>> open_store_to_read(Env& env, const cli::Settings& settings);
/// `applied`: what the store has applied, which a log on files must still hold. `observer` outlives
/// the log.
Result<std::unique_ptr<Log>> open_log(Env& env, const cli::Settings& settings,
                                      const std::map<TopicPartition, Owned>& applied,
                                      EngineObserver& observer);
/// For verify: takes no lock.
Result<std::unique_ptr<Log>> open_log_to_read(Env& env, const cli::Settings& settings);
/// `observer` outlives the gate.
Result<std::unique_ptr<Gate>> open_gate(Env& env, const cli::Settings& settings,
                                        EngineObserver& observer);

}  // namespace penstock
