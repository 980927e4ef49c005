#include "test/integration/redis_subject.h"

#include <algorithm>
#include <stdexcept>

namespace penstock::test {
namespace {

using contract::Claim;

constexpr std::chrono::seconds kPatience{30};

class Fixture final : public contract::GateFixture {
public:
    explicit Fixture(std::unique_ptr<RedisGate> gate) : gate_(std::move(gate)) {}
    Env& env() override { return system_env(); }
    Gate& gate() override { return *gate_; }

private:
    const std::unique_ptr<RedisGate> gate_;
};

std::string text_of(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_NIL) return "nil";
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type != REDIS_REPLY_ARRAY) return std::string(reply.str, reply.len);
    std::string text;
    for (std::size_t i = 0; i < reply.elements; ++i) {
        text += (i == 0 ? "" : "\n") + text_of(*reply.element[i]);
    }
    return text;
}

Words lines_of(const std::string& text) {
    Words lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace

Operator::Operator(int port, const std::string& password)
    : context_(::redisConnect("127.0.0.1", port)) {
    if (context_ == nullptr || context_->err != 0) throw std::runtime_error("no Redis there");
    if (!password.empty()) run({"AUTH", password});
}

std::string Operator::run(const Words& words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    auto* const raw = static_cast<redisReply*>(::redisCommandArgv(
        context_.get(), static_cast<int>(words.size()), texts.data(), sizes.data()));
    if (raw == nullptr) throw std::runtime_error(context_->errstr);
    const std::unique_ptr<redisReply, decltype(&::freeReplyObject)> reply(raw, &::freeReplyObject);
    return text_of(*reply);
}

std::string Operator::info(const std::string& field) {
    const std::string info = run({"INFO"});
    const std::size_t at = info.find("\n" + field + ":");
    if (at == std::string::npos) return "";
    const std::size_t from = at + field.size() + 2;
    return info.substr(from, info.find_first_of("\r\n", from) - from);
}

std::string Operator::dump(const std::string& prefix) {
    Words keys = lines_of(run({"KEYS", prefix + "*"}));
    std::sort(keys.begin(), keys.end());
    std::string dump;
    for (const std::string& key : keys) {
        dump += key + " " + run({"DEBUG", "DIGEST-VALUE", key}) + "\n";
    }
    return dump;
}

void Witness::rebuild_needed(std::string_view resource, std::string_view why) noexcept {
    seen_.with(
        [&](Seen& seen) { seen.told.push_back(std::string(resource) + ": " + std::string(why)); });
    changed_->notify();
}

void Witness::settlements_dropped(std::string_view resource, std::string_view why) noexcept {
    seen_.with([&](Seen& seen) {
        seen.told_dropped.push_back(std::string(resource) + ": " + std::string(why));
    });
    changed_->notify();
}

void Witness::connected() noexcept {
    seen_.with([](Seen& seen) { ++seen.connected; });
    changed_->notify();
}

void Witness::disconnected(const Error& why) noexcept {
    seen_.with([&](Seen& seen) {
        ++seen.disconnected;
        seen.last = why;
    });
    changed_->notify();
}

bool Witness::wait(const std::function<bool(const Seen&)>& until) {
    const MonoTime by = system_env().clock.mono() + kPatience;
    const auto holds = [&] { return seen_.with([&](Seen& seen) { return until(seen); }); };
    while (!holds()) {
        if (!changed_->wait_until(by) && system_env().clock.mono() >= by) return holds();
    }
    return true;
}

bool Witness::wait_connected(int times) {
    return wait([&](const Seen& seen) { return seen.connected >= times; });
}

bool Witness::wait_disconnected(int times) {
    return wait([&](const Seen& seen) { return seen.disconnected >= times; });
}

int Witness::connects() {
    return seen_.with([](const Seen& seen) { return seen.connected; });
}

int Witness::disconnects() {
    return seen_.with([](const Seen& seen) { return seen.disconnected; });
}

Error Witness::last_error() {
    return seen_.with([](const Seen& seen) { return seen.last; });
}

Words Witness::told() {
    return seen_.with([](const Seen& seen) { return seen.told; });
}

Words Witness::told_dropped() {
    return seen_.with([](const Seen& seen) { return seen.told_dropped; });
}

RedisSubject::RedisSubject(RedisGateOptions options) : subject_(adapter(options, *witness_)) {
    static std::uint64_t subjects = 0;
    next_id_ = ++subjects * 1'000'000;
}

RedisGateOptions RedisSubject::options_for(int port) {
    RedisGateOptions options;
    options.url = "redis://127.0.0.1:" + std::to_string(port);
    return options;
}

contract::GateAdapter RedisSubject::adapter(const RedisGateOptions& options, Witness& witness) {
    return {"redis", [&]() -> std::unique_ptr<contract::GateFixture> {
                auto gate = RedisGate::open(system_env(), options, witness);
                if (!gate) throw std::runtime_error(gate.error().text);
                return std::make_unique<Fixture>(*std::move(gate));
            }};
}

int RedisSubject::ask_new(int count, Admission wanted) {
    std::vector<Claim> claims;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t id = next_id_++;
        claims.push_back({.id = id, .holder = "holder" + std::to_string(id)});
    }
    int found = 0;
    for (const Answer& answer : subject_.ask(claims)) {
        EXPECT_TRUE(answer.admission.ok()) << answer.admission.error().text;
        if (answer.admission && *answer.admission == wanted) ++found;
    }
    return found;
}

Admission RedisSubject::ask_until_answered(const Claim& claim) {
    Admission admission = Admission::no_resource;
    EXPECT_TRUE(eventually([&] {
        const Answer answer = subject_.ask_one(claim);
        if (!answer.admission) {
            EXPECT_EQ(answer.admission.error().code, Code::unreachable);
            return false;
        }
        admission = *answer.admission;
        return true;
    }));
    return admission;
}

bool eventually(const std::function<bool()>& holds) {
    const MonoTime by = system_env().clock.mono() + kPatience;
    while (!holds()) {
        if (system_env().clock.mono() >= by) return false;
    }
    return true;
}

}  // namespace penstock::test
