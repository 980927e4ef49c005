#include "penstock/main/process.h"

#include <spdlog/spdlog.h>

#include "penstock/apps/sale/sale.h"
#include "penstock/base/guarded.h"
#include "penstock/main/engines.h"
#include "penstock/main/tables.h"
#include "penstock/runtime/schema.h"

namespace penstock {
namespace {

std::vector<std::unique_ptr<App>> make_apps() {
    std::vector<std::unique_ptr<App>> apps;
    apps.push_back(sale::make_sale());
    return apps;
}

}  // namespace

/// Metrics, the process's log, and the way out when it cannot go on.
class Process::Observer final : public RuntimeObserver, public EngineObserver {
public:
    Observer(Env& env, std::function<void(const Error&)> end) : env_(env), end_(std::move(end)) {}

    http::Metrics& metrics() { return metrics_; }
    /// Who is told that the gate lost what it knew; null: nobody any more.
    void set_node(Node* node) {
        const MutexLock lock(mutex_);
        node_ = node;
    }

    void batch(const Batch& told) noexcept override { metrics_.batch(told); }
    void admission(Admission admission, std::size_t count) noexcept override {
        metrics_.admission(admission, count);
    }
    void disk_free(std::uint64_t bytes) noexcept override { metrics_.disk_free(bytes); }
    void say(Level level, std::string_view text) noexcept override {
        static constexpr spdlog::level::level_enum kLevels[] = {
            spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
        spdlog::log(kLevels[static_cast<int>(level)], "{}", text);
    }
    void fatal(const Error& why) noexcept override {
        if (why.code != Code::damaged) end_(why);
    }

    void log_synced(std::size_t records, std::size_t bytes,
                    std::chrono::nanoseconds took) noexcept override {
        metrics_.log_synced(records, bytes, took);
    }
    /// What an engine says over and over is said once in a while.
    void tell(const std::string& text) noexcept override {
        {
            const MutexLock lock(mutex_);
            const MonoTime now = env_.clock.mono();
            if (text == told_ && now < told_at_ + kSameAgain) return;
            told_ = text;
            told_at_ = now;
        }
        spdlog::warn("{}", text);
    }
    void alarm(const std::string& text) noexcept override { spdlog::error("{}", text); }
    void gate_needs_rebuild() noexcept override {
        const MutexLock lock(mutex_);
        if (node_ != nullptr) node_->gate_lost();
    }
    void gate_in_doubt() noexcept override {
        const MutexLock lock(mutex_);
        if (node_ != nullptr) node_->gate_doubt();
    }
    void disk_failed(const Error& why) noexcept override { fatal(why); }

private:
    static constexpr std::chrono::seconds kSameAgain{10};

    Env& env_;
    http::Metrics metrics_;
    const std::function<void(const Error&)> end_;
    Mutex mutex_;
    std::string told_ GUARDED_BY(mutex_);
    MonoTime told_at_ GUARDED_BY(mutex_){};
    Node* node_ GUARDED_BY(mutex_) = nullptr;
};

Process::Process(Env& env, ProcessOptions options, std::function<void(const Error&)> fatal)
    : env_(env),
      options_(std::move(options)),
      observer_(std::make_unique<Observer>(env, std::move(fatal))) {}

Process::~Process() {
    stop(env_.clock.mono());
}

Result<std::unique_ptr<Process>> Process::start(Env& env, ProcessOptions options,
                                                std::function<void(const Error&)> fatal) {
    std::unique_ptr<Process> process(new Process(env, std::move(options), std::move(fatal)));
    if (auto opened = process->open_parts(); !opened) return std::move(opened).error();
    return process;
}

/// The store first: it tells the log what it must still hold.
Result<void> Process::open_parts() {
    const cli::Settings& settings = options_.settings;
    if (needs_data_directory(settings)) {
        auto lock = DataDirectory{settings.data}.open(env_.files);
        if (!lock) return std::move(lock).error();
        lock_ = std::move(*lock);
        options_.node.data_directory = settings.data;
    }
    auto store = open_store(env_, settings);
    if (!store) return std::move(store).error();
    store_ = std::move(*store);
    if (auto made = prepare_tables(*store_, make_apps()); !made) {
        return refused_by_store(settings, std::move(made).error());
    }
    const auto applied = read_owned(*store_, options_.node.group);
    if (!applied) return refused_by_store(settings, applied.error());
    PENSTOCK_TRY(check_group(*store_, options_.node.group));
    auto log = open_log(env_, settings, *applied, *observer_);
    if (!log) return std::move(log).error();
    log_ = std::move(*log);
    auto gate = open_gate(env_, settings, *observer_);
    if (!gate) return std::move(gate).error();
    gate_ = std::move(*gate);
    for (const std::string& engine : {log_->about(), gate_->about(), store_->about()}) {
        if (!engine.empty()) spdlog::info("connected: {}", engine);
    }
    node_ = make_node(env_, *log_, *gate_, *store_, make_apps, options_.node, *observer_);
    observer_->set_node(node_.get());
    auto server =
        http::HttpServer::start(options_.http, env_, *node_, *log_, *gate_, observer_->metrics());
    if (!server) return std::move(server).error();
    server_ = std::move(*server);
    if (auto started = node_->start(); !started) return refused_at("", std::move(started).error());
    return {};
}

void Process::stop(MonoTime by) {
    observer_->set_node(nullptr);
    if (server_) server_->stop(by);
    if (node_) node_->stop(by);
    if (log_) log_->stop(by);
}

}  // namespace penstock
