#include "penstock/main/embedded.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "penstock/apps/sale/sale.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/log/file/file_log.h"
#include "penstock/runtime/ownership.h"
#include "penstock/store/sqlite/sqlite_store.h"

namespace penstock {
namespace {

constexpr std::string_view kMarkerText = "penstock data directory, version 1\n";

std::vector<std::unique_ptr<App>> make_apps() {
    std::vector<std::unique_ptr<App>> apps;
    apps.push_back(sale::make_sale());
    return apps;
}

Result<void> write_marker(FileSystem& files, const DataDirectory& data) {
    auto file = files.open(data.marker(), OpenMode::create);
    if (!file) return std::move(file).error();
    PENSTOCK_TRY((*file)->write(0, as_bytes(kMarkerText)));
    PENSTOCK_TRY((*file)->sync());
    return files.sync_directory(data.root);
}

Result<void> check_marker(FileSystem& files, const DataDirectory& data) {
    auto file = files.open(data.marker(), OpenMode::read);
    if (!file) return std::move(file).error();
    std::string text(kMarkerText.size() + 1, '\0');
    auto read = (*file)->read(0, std::as_writable_bytes(std::span(text)));
    if (!read) return std::move(read).error();
    text.resize(*read);
    if (text == kMarkerText) return {};
    if (text.empty()) return write_marker(files, data);  // torn by a crash when it was made
    return error(Code::too_new, fmt::format("{} is of another version of Penstock: {}; use that "
                                            "version, or another --data directory",
                                            data.root, text));
}

/// For whoever comes second, so that it can say who came first. A disk too full for it is no reason
/// not to start.
void write_pid(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::create);
    if (!file) return;
    const std::string text = std::to_string(::getpid()) + "\n";
    if ((*file)->write(0, as_bytes(text))) (void)(*file)->truncate(text.size());
}

/// "process 1234", or what can be said where the holder has not written its pid yet.
std::string holder_of(FileSystem& files, const std::string& path) {
    std::array<char, 20> text{};
    if (auto file = files.open(path, OpenMode::read)) {
        (void)(*file)->read(0, std::as_writable_bytes(std::span(text)));
    }
    long pid = 0;
    const auto [end, failure] = std::from_chars(text.begin(), text.end(), pid);
    return failure == std::errc{} && end != text.end() && *end == '\n'
               ? fmt::format("process {}", pid)
               : "another process";
}

Error cannot_use(const DataDirectory& data, Error why) {
    why.text = fmt::format(
        "the data directory {} cannot be used: {}; give a --data that this user "
        "can write to",
        data.root, why.text);
    return why;
}

Result<void> refuse_foreign(FileSystem& files, const DataDirectory& data) {
    auto names = files.list(data.root);
    if (!names) return cannot_use(data, std::move(names).error());
    for (const std::string& name : *names) {
        if (name == "lock" || files.exists(data.marker())) continue;
        return error(Code::unsafe, fmt::format("{} is not a data directory of Penstock: it holds "
                                               "{}; give an empty or a new one with --data",
                                               data.root, name));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<FileLock>> DataDirectory::open(FileSystem& files) const {
    if (auto made = files.make_directory(root); !made) {
        return cannot_use(*this, std::move(made).error());
    }
    PENSTOCK_TRY(refuse_foreign(files, *this));
    auto held = files.lock(lock());
    if (!held && held.error().code == Code::in_use) {
        return error(Code::in_use, fmt::format("the data directory {} is in use by {}; stop that, "
                                               "or give another --data",
                                               root, holder_of(files, lock())));
    }
    if (!held) return cannot_use(*this, std::move(held).error());
    write_pid(files, lock());
    PENSTOCK_TRY(files.exists(marker()) ? check_marker(files, *this) : write_marker(files, *this));
    return held;
}

/// Metrics, the process's log, and the way out when it cannot go on.
class Embedded::Observer final : public RuntimeObserver, public FileLogObserver {
public:
    explicit Observer(std::function<void(const Error&)> fatal) : fatal_(std::move(fatal)) {}

    http::Metrics& metrics() { return metrics_; }

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
        if (why.code != Code::damaged) fatal_(why);
    }

    void synced(std::size_t records, std::size_t bytes,
                std::chrono::nanoseconds took) noexcept override {
        metrics_.log_synced(records, bytes, took);
    }
    void partition_stopped(const TopicPartition&, const Error& why) noexcept override {
        spdlog::error("{}", why.text);
    }
    void note(const std::string& text) noexcept override { spdlog::warn("{}", text); }

private:
    http::Metrics metrics_;
    const std::function<void(const Error&)> fatal_;
};

Embedded::Embedded(Env& env, EmbeddedOptions options, std::function<void(const Error&)> fatal)
    : env_(env),
      options_(std::move(options)),
      observer_(std::make_unique<Observer>(std::move(fatal))) {}

Embedded::~Embedded() {
    stop(env_.clock.mono());
}

Result<std::unique_ptr<Embedded>> Embedded::start(Env& env, EmbeddedOptions options,
                                                  std::function<void(const Error&)> fatal) {
    std::unique_ptr<Embedded> embedded(new Embedded(env, std::move(options), std::move(fatal)));
    if (auto opened = embedded->open_parts(); !opened) return std::move(opened).error();
    return embedded;
}

/// The store first: it tells the log what it must still hold.
Result<void> Embedded::open_parts() {
    const DataDirectory& data = options_.data;
    auto lock = data.open(env_.files);
    if (!lock) return std::move(lock).error();
    lock_ = std::move(*lock);

    auto store = SqliteStore::open({.path = data.database()}, env_);
    if (!store) return std::move(store).error();
    store_ = std::move(*store);
    // SQLite does not sync the name of a database that it has made.
    PENSTOCK_TRY(env_.files.sync_directory(data.root));
    auto owned = read_owned(*store_, options_.node.group);
    if (!owned) return std::move(owned).error();

    FileLogOptions log_options = options_.log;
    log_options.directory = data.log();
    log_options.observer = observer_.get();
    log_options.on_fatal = [this](const Error& why) { observer_->fatal(why); };
    for (const auto& [at, row] : *owned) log_options.applied[at] = {row.next, row.fingerprint};
    auto log = FileLog::open(env_, log_options);
    if (!log) return std::move(log).error();
    log_ = std::move(*log);

    gate_ = std::make_unique<LocalGate>(env_);
    options_.node.data_directory = data.root;
    node_ = make_node(env_, *log_, *gate_, *store_, make_apps, options_.node, *observer_);
    if (options_.serve_http) {
        auto server = http::HttpServer::start(options_.http, env_, *node_, *log_, *gate_,
                                              observer_->metrics());
        if (!server) return std::move(server).error();
        server_ = std::move(*server);
    }
    return node_->start();
}

void Embedded::stop(MonoTime by) {
    if (server_) server_->stop(by);
    if (node_) node_->stop(by);
    if (log_) log_->stop(by);
}

}  // namespace penstock
