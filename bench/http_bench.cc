// Figures of the HTTP face over the whole node (file log, SQLite, local gate), one JSON line each,
// beside the bare epoll responder and the raw fdatasync of the same run. wrk makes the load, on the
// same cores. Usage: http_bench --floor PROGRAM --wrk DIR [--dir DIR] [--runs N] [--small]

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "bench/measure.h"
#include "penstock/apps/sale/sale.h"
#include "penstock/edge/http/http_server.h"
#include "penstock/gate/local/local_gate.h"
#include "penstock/log/file/file_log.h"
#include "penstock/store/sqlite/sqlite_store.h"

namespace penstock {
namespace {

using bench::give_up;
using bench::median;
using bench::require;

struct Options {
    std::string floor, wrk, directory;
    int runs = 5;
    int seconds = 5;
    std::size_t lone_claims = 2000;
};

class Served {
public:
    explicit Served(const std::string& directory) {
        Env& env = system_env();
        store_ = require(SqliteStore::open({.path = directory + "/penstock.db"}, env));
        FileLogOptions log;
        log.directory = directory + "/log";
        log_ = require(FileLog::open(env, log));
        gate_ = std::make_unique<LocalGate>(env);
        NodeOptions options;
        node_ = make_node(
            env, *log_, *gate_, *store_,
            [] {
                std::vector<std::unique_ptr<App>> apps;
                apps.push_back(sale::make_sale());
                return apps;
            },
            options, metrics_);
        http::HttpOptions http;
        http.listen = "127.0.0.1:0";
        server_ = require(http::HttpServer::start(http, env, *node_, *log_, *gate_, metrics_));
        if (const auto started = node_->start(); !started) give_up(started.error().text);
        while (!node_->readiness().ready) std::this_thread::yield();
    }
    ~Served() {
        const MonoTime by = system_env().clock.mono() + std::chrono::seconds(20);
        server_->stop(by);
        node_->stop(by);
        log_->stop(by);
    }
    std::uint16_t port() const { return server_->port(); }

private:
    http::Metrics metrics_;
    std::unique_ptr<SqliteStore> store_;
    std::unique_ptr<Log> log_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<http::HttpServer> server_;
};

/// A connection that waits for each answer.
class LoneClient {
public:
    explicit LoneClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            give_up("cannot connect");
        }
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~LoneClient() { ::close(fd_); }
    /// The status. The answer comes in one piece: it is small.
    int ask(std::string_view method_and_path, std::string_view body) {
        const std::string request =
            fmt::format("{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                        method_and_path, body.size(), body);
        char answer[4096];
        if (::send(fd_, request.data(), request.size(), 0) < 0) return 0;
        const ssize_t n = ::recv(fd_, answer, sizeof answer - 1, 0);
        if (n < 12) return 0;
        answer[n] = '\0';
        return std::atoi(answer + 9);
    }

private:
    const int fd_;
};

struct Load {
    double per_second = 0, refused = 0, p50_ms = 0, p99_ms = 0;
};

Load run_wrk(const Options& options, std::uint16_t port, int connections, const std::string& rest) {
    const std::string command = fmt::format(
        "wrk -t1 -c{} -d{}s -s {}/{} http://127.0.0.1:{} -- {}", connections, options.seconds,
        options.wrk, rest.substr(0, rest.find(' ')), port, rest.substr(rest.find(' ') + 1));
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) give_up("wrk cannot be started");
    std::string output;
    char bytes[4096];
    while (const std::size_t n = std::fread(bytes, 1, sizeof bytes, pipe)) output.append(bytes, n);
    ::pclose(pipe);
    const std::size_t at = output.find("{\"requests\"");
    if (at == std::string::npos) give_up("wrk did not end well: " + command + "\n" + output);
    const auto line = boost::json::parse(output.substr(at, output.find('\n', at) - at));
    const auto number = [&](const char* name) { return line.at(name).to_number<double>(); };
    if (number("broken") > 0) fmt::print(stderr, "http_bench: broken connections: {}\n", output);
    return {number("requests") / number("seconds"), number("refused") / number("requests"),
            number("p50_ms"), number("p99_ms")};
}

double fdatasync_p50_us(const std::string& directory) {
    const std::string path = directory + "/probe";
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR, 0600);
    const std::vector<char> zeros(4 << 20), block(4096, 'x');
    if (::write(fd, zeros.data(), zeros.size()) < 0 || ::fdatasync(fd) != 0) give_up("probe");
    std::vector<double> times;
    for (int i = 0; i < 1000; ++i) {
        const auto began = system_env().clock.mono();
        if (::pwrite(fd, block.data(), block.size(), i * 4096) < 0 || ::fdatasync(fd) != 0) {
            give_up("probe");
        }
        times.push_back(
            std::chrono::duration<double, std::micro>(system_env().clock.mono() - began).count());
    }
    ::close(fd);
    ::unlink(path.c_str());
    return median(times);
}

/// The bare responder, in a process of its own.
class Floor {
public:
    explicit Floor(const std::string& program) {
        int in[2], out[2];
        if (::pipe(in) != 0 || ::pipe(out) != 0) give_up("pipe");
        child_ = ::fork();
        if (child_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
            ::close(in[1]);
            ::execl(program.c_str(), program.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        input_ = in[1];
        char text[16] = {};
        if (::read(out[0], text, sizeof text - 1) <= 0) give_up("cannot start " + program);
        ::close(out[0]);
        port_ = static_cast<std::uint16_t>(std::atoi(text));
    }
    ~Floor() {
        ::close(input_);
        ::waitpid(child_, nullptr, 0);
    }
    std::uint16_t port() const { return port_; }

private:
    pid_t child_ = -1;
    int input_ = -1;
    std::uint16_t port_ = 0;
};

class Bench {
public:
    explicit Bench(Options options) : options_(std::move(options)) {}

    void run() {
        for (int i = 0; i < options_.runs; ++i) {
            round(i);
        }
        for (const auto& [name, values] : figures_) {
            fmt::print("{{\"figure\":\"{}\",\"median\":{:.3f},\"runs\":{}}}\n", name,
                       median(values), values.size());
        }
    }

private:
    void keep(const std::string& name, double value) {
        figures_[name].push_back(value);
        fmt::print(stderr, "  {} {:.3f}\n", name, value);
    }
    void keep(const std::string& name, const Load& load, double each = 1) {
        keep(name + "_per_s", load.per_second * each);
        keep(name + "_p50_ms", load.p50_ms);
        keep(name + "_p99_ms", load.p99_ms);
    }

    void round(int number) {
        const std::string directory = options_.directory + "/run" + std::to_string(number);
        std::filesystem::create_directories(directory);
        {
            const Floor floor(options_.floor);
            keep("floor", run_wrk(options_, floor.port(), 296, "claim.lua spring"));
        }
        const Served served(directory);
        LoneClient client(served.port());
        client.ask("PUT /v1/campaigns/small", R"({"quantity":1})");
        client.ask("PUT /v1/campaigns/large", R"({"quantity":2147483647})");
        client.ask("POST /v1/campaigns/small/claims", R"({"user_id":"first"})");
        lone(client, directory);
        const std::uint16_t port = served.port();
        keep("sold_out", run_wrk(options_, port, 296, "claim.lua small"));
        const Load granted = run_wrk(options_, port, 296, "claim.lua large");
        if (granted.refused > 0) give_up("claims were refused");
        keep("granted", granted);
        keep("batch_sold_out", run_wrk(options_, port, 4, "batch.lua small 1000"), 1000);
        keep("batch_granted", run_wrk(options_, port, 8, "batch.lua large 1000"), 1000);
        keep("sold_out_of_floor", last("sold_out_per_s") / last("floor_per_s"));
        keep("granted_of_floor", last("granted_per_s") / last("floor_per_s"));
    }

    void lone(LoneClient& client, const std::string& directory) {
        const double probe = fdatasync_p50_us(directory);
        std::vector<double> times;
        for (std::size_t i = 0; i < options_.lone_claims; ++i) {
            const std::string body = fmt::format(R"({{"user_id":"lone-{}"}})", i);
            const auto began = system_env().clock.mono();
            if (client.ask("POST /v1/campaigns/large/claims", body) != 201) give_up("not granted");
            const std::chrono::duration<double, std::micro> took =
                system_env().clock.mono() - began;
            times.push_back(took.count());
        }
        keep("fdatasync_p50_us", probe);
        keep("lone_claim_p50_us", median(times));
        keep("lone_claim_of_fdatasync", median(times) / probe);
    }

    double last(const std::string& name) { return figures_[name].back(); }

    const Options options_;
    std::map<std::string, std::vector<double>> figures_;
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto value = [&] {
            if (++i == argc) give_up("a value is missing");
            return std::string(argv[i]);
        };
        if (word == "--floor") {
            options.floor = value();
        } else if (word == "--wrk") {
            options.wrk = value();
        } else if (word == "--dir") {
            options.directory = value();
        } else if (word == "--runs") {
            options.runs = std::atoi(value().c_str());
        } else if (word == "--seconds") {
            options.seconds = std::atoi(value().c_str());
        } else if (word == "--small") {
            options.runs = 1;
            options.seconds = 1;
            options.lone_claims = 50;
        } else {
            give_up("unknown option " + std::string(word));
        }
    }
    if (options.floor.empty() || options.wrk.empty()) give_up("--floor and --wrk are needed");
    return options;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
    penstock::Options options = penstock::read_options(argc, argv);
    std::string made;
    if (options.directory.empty()) {
        made = std::filesystem::temp_directory_path() / "penstock-http-bench-XXXXXX";
        if (!::mkdtemp(made.data())) return 1;
        options.directory = made;
    }
    penstock::Bench(options).run();
    if (!made.empty()) std::filesystem::remove_all(made);
}
