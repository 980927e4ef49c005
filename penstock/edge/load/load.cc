#include "penstock/edge/load/load.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <deque>
#include <vector>

#include "penstock/edge/load/load_plan.h"

namespace penstock::cli {

namespace asio = boost::asio;
using Failure = boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kRetryPause{50};
constexpr std::chrono::milliseconds kProgressEvery{200};
constexpr std::chrono::seconds kDrainTime{15};
constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kMaxAnswer = 1 << 20;

/// A whole answer at the front of `input`, if it is there.
struct ParsedAnswer {
    int status = 0;
    std::string_view body;
    std::size_t size = 0;
    bool close = false;
};

std::optional<ParsedAnswer> parse_answer(std::string_view input) {
    const auto end = input.find("\r\n\r\n");
    if (end == std::string_view::npos || input.size() < 12) return std::nullopt;
    const std::string_view head = input.substr(0, end);
    ParsedAnswer answer;
    std::from_chars(input.data() + 9, input.data() + 12, answer.status);
    std::size_t length = 0;
    const auto value_of = [&](std::string_view name) {
        const auto at = head.find(name);
        return at == std::string_view::npos ? std::string_view() : head.substr(at + name.size());
    };
    for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        const auto value = value_of(name);
        std::from_chars(value.data(), value.data() + value.size(), length);
    }
    answer.close = head.find("onnection: close") != std::string_view::npos;
    answer.size = end + 4 + length;
    if (input.size() < answer.size) return std::nullopt;
    answer.body = input.substr(end + 4, length);
    return answer;
}

class LoadRun;

/// A virtual user: one connection, one claim in flight.
class User {
public:
    User(LoadRun& run, asio::io_context& io) : run_(run), socket_(io), timer_(io) {}
    void take(PlannedClaim claim);
    bool busy() const { return busy_; }

private:
    void send();
    void connect();
    void write();
    void read();
    void received();
    void broke();
    void pause_and_send();

    LoadRun& run_;
    asio::ip::tcp::socket socket_;
    asio::steady_timer timer_;
    PlannedClaim claim_;
    bool busy_ = false;
    std::string output_, input_;
};

class LoadRun {
public:
    LoadRun(Env& env, const LoadOptions& options, const std::function<void(const LoadProgress&)>& p)
        : env_(env),
          options_(options),
          progress_(p),
          began_(env.clock.mono()),
          plan_(env, options, began_),
          pacer_(io_),
          ticker_(io_) {}

    Result<LoadReport> run();

    LoadPlan& plan() { return plan_; }
    const LoadOptions& options() const { return options_; }
    const asio::ip::tcp::resolver::results_type& addresses() const { return addresses_; }
    /// The user's claim is over: the next, if one is due.
    void idle(User& user);
    bool draining() const { return env_.clock.mono() >= give_up_; }
    void finished_one();

private:
    void pace();
    void tick();
    void tell();

    Env& env_;
    const LoadOptions& options_;
    const std::function<void(const LoadProgress&)>& progress_;
    const MonoTime began_;
    MonoTime give_up_ = kNever;
    asio::io_context io_{1};
    LoadPlan plan_;
    asio::steady_timer pacer_, ticker_;
    asio::ip::tcp::resolver::results_type addresses_;
    std::deque<User> users_;
    std::vector<User*> idle_;
};

void User::take(PlannedClaim claim) {
    claim_ = std::move(claim);
    busy_ = true;
    const std::string body =
        fmt::format(R"({{"user_id":"{}","quantity":{}}})", claim_.user, run_.options().quantity);
    output_.clear();
    fmt::format_to(std::back_inserter(output_),
                   "POST /v1/campaigns/{}/claims HTTP/1.1\r\nHost: {}\r\nIdempotency-Key: {}\r\n"
                   "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                   run_.options().campaign, run_.options().server.authority(), claim_.id,
                   body.size(), body);
    send();
}

void User::send() {
    socket_.is_open() ? write() : connect();
}

void User::connect() {
    asio::async_connect(socket_, run_.addresses(), [this](Failure failure, const auto&) {
        if (failure) return broke();
        socket_.set_option(asio::ip::tcp::no_delay(true), failure);
        input_.clear();
        write();
    });
}

void User::write() {
    asio::async_write(socket_, asio::buffer(output_),
                      [this](Failure failure, std::size_t) { failure ? broke() : read(); });
}

void User::read() {
    const std::size_t had = input_.size();
    input_.resize(had + kReadBytes);
    socket_.async_read_some(asio::buffer(input_.data() + had, kReadBytes),
                            [this, had](Failure failure, std::size_t bytes) {
                                input_.resize(had + bytes);
                                if (failure || input_.size() > kMaxAnswer) return broke();
                                received();
                            });
}

void User::received() {
    const auto answer = parse_answer(input_);
    if (!answer) return read();
    run_.plan().answered(claim_, answer->status, answer->body);
    const bool again = run_.plan().should_retry(answer->status) && !run_.draining();
    const bool close = answer->close;
    input_.erase(0, answer->size);
    Failure ignored;
    if (close) socket_.close(ignored);
    if (again) return pause_and_send();
    busy_ = false;
    run_.idle(*this);
}

void User::broke() {
    Failure ignored;
    socket_.close(ignored);
    input_.clear();
    run_.plan().broken(claim_);
    if (run_.options().retry && !run_.draining()) return pause_and_send();
    busy_ = false;
    // Without a pause a dead server would be asked as fast as the loop can go.
    timer_.expires_after(kRetryPause);
    timer_.async_wait([this](Failure) { run_.idle(*this); });
}

void User::pause_and_send() {
    timer_.expires_after(kRetryPause);
    timer_.async_wait([this](Failure failure) {
        if (!failure) send();
    });
}

void LoadRun::idle(User& user) {
    if (plan_.finished()) return finished_one();
    if (options_.rate <= 0) return user.take(plan_.next());
    idle_.push_back(&user);
    pace();
}

/// Open loop: claims start when they are due, on whichever user is free.
void LoadRun::pace() {
    while (!idle_.empty() && !plan_.finished()) {
        const MonoTime now = env_.clock.mono();
        const MonoTime due = plan_.due();
        if (due > now) {
            pacer_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(due - now));
            pacer_.async_wait([this](Failure failure) {
                if (!failure) pace();
            });
            return;
        }
        User* user = idle_.back();
        idle_.pop_back();
        user->take(plan_.next());
    }
    if (plan_.finished()) finished_one();
}

void LoadRun::finished_one() {
    if (give_up_ == kNever) give_up_ = env_.clock.mono() + kDrainTime;
    for (const User& user : users_) {
        if (user.busy()) return;
    }
    io_.stop();
}

void LoadRun::tick() {
    ticker_.expires_after(kProgressEvery);
    ticker_.async_wait([this](Failure failure) {
        if (failure) return;
        tell();
        if (plan_.finished()) finished_one();
        if (draining()) return io_.stop();
        tick();
    });
}

void LoadRun::tell() {
    if (!progress_) return;
    const LoadReport& report = plan_.report();
    progress_({report.granted, report.refused,
               report.repeated + report.waiting + report.unavailable + report.broken,
               std::chrono::duration<double>(env_.clock.mono() - began_).count()});
}

Result<LoadReport> LoadRun::run() {
    PENSTOCK_TRY(plan_.open_history());
    Failure failure;
    std::string host = options_.server.host;
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    addresses_ = asio::ip::tcp::resolver(io_).resolve(host, options_.server.port, failure);
    if (failure) {
        return error(Code::unreachable,
                     fmt::format("{}: {}", options_.server.authority(), failure.message()));
    }
    for (std::uint32_t i = 0; i < options_.users; ++i) users_.emplace_back(*this, io_);
    for (User& user : users_) idle(user);
    tick();
    io_.run();
    tell();
    LoadReport report = std::move(plan_.report());
    for (const User& user : users_) report.unanswered += user.busy();
    report.seconds = std::chrono::duration<double>(env_.clock.mono() - began_).count();
    if (report.answered == 0 && report.broken != 0) {
        return error(Code::unreachable,
                     fmt::format("no answer from http://{}; is `penstock serve` running there?",
                                 options_.server.authority()));
    }
    return report;
}

}  // namespace

Result<LoadReport> run_load(Env& env, const LoadOptions& options,
                            const std::function<void(const LoadProgress&)>& progress) {
    return LoadRun(env, options, progress).run();
}

std::string to_text(const LoadReport& report) {
    std::string text = fmt::format(
        "{} answers in {:.2f} s, {:.0f}/s: {} granted ({:.0f}/s), {} repeated, {} refused, "
        "{} waiting or unknown, {} unavailable, {} connections broken, {} in flight at the end\n",
        report.answered, report.seconds, static_cast<double>(report.answered) / report.seconds,
        report.granted, static_cast<double>(report.granted) / report.seconds, report.repeated,
        report.refused, report.waiting, report.unavailable, report.broken, report.unanswered);
    for (const auto& [code, count] : report.codes)
        text += fmt::format("  {:<14} {}\n", code, count);
    const auto row = [&](const char* name, const LatencyTable& table) {
        text += fmt::format("  {:<8} {:>10.2f} {:>10.2f} {:>10.2f} {:>10.2f} {:>10.2f}\n", name,
                            table.percentile_ms(50), table.percentile_ms(90),
                            table.percentile_ms(99), table.percentile_ms(99.9), table.max_ms());
    };
    text += fmt::format("  {:<8} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "ms", "p50", "p90", "p99",
                        "p99.9", "max");
    row("all", report.latency);
    row("granted", report.granted_latency);
    if (report.mismatches != 0) {
        text += fmt::format("FAILED: {} repeats got another answer than the first\n",
                            report.mismatches);
    }
    return text;
}

std::string to_json(const LoadReport& report) {
    std::string codes;
    for (const auto& [code, count] : report.codes) {
        codes += fmt::format("{}\"{}\":{}", codes.empty() ? "" : ",", code, count);
    }
    const auto latency = [](const LatencyTable& table) {
        return fmt::format(
            R"({{"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},"p99.9":{:.3f},"max":{:.3f}}})",
            table.percentile_ms(50), table.percentile_ms(90), table.percentile_ms(99),
            table.percentile_ms(99.9), table.max_ms());
    };
    return fmt::format(
        R"({{"answered":{},"granted":{},"repeated":{},"refused":{},"waiting":{},"unavailable":{},)"
        R"("broken":{},"mismatches":{},"unanswered":{},"seconds":{:.3f},"codes":{{{}}},)"
        R"("latency_ms":{},"granted_latency_ms":{}}})",
        report.answered, report.granted, report.repeated, report.refused, report.waiting,
        report.unavailable, report.broken, report.mismatches, report.unanswered, report.seconds,
        codes, latency(report.latency), latency(report.granted_latency));
}

}  // namespace penstock::cli
