#include "penstock/gate/redis/link.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace penstock {

Result<std::unique_ptr<RedisLink>> RedisLink::start(const RedisUrl& url) {
    const std::string place = url.shown();
    redisContext* const context = ::redisConnectNonBlock(url.at.host.c_str(), url.at.port);
    if (context == nullptr) return error(Code::unreachable, "no memory to connect to Redis");
    std::unique_ptr<RedisLink> link(new RedisLink(context, place));
    if (context->err != 0) return link->failed();
    const int on = 1;
    ::setsockopt(context->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return link;
}

Error RedisLink::failed() const {
    // hiredis has "Connection refused" and the like in errstr.
    return error(Code::unreachable,
                 fmt::format("Redis at {} cannot be reached: {}; start it or correct the url",
                             place_, context_->errstr));
}

void RedisLink::send(std::span<const std::string_view> words) {
    constexpr std::size_t kMostWords = 24;
    PENSTOCK_CHECK(words.size() <= kMostWords);
    const char* texts[kMostWords];
    std::size_t sizes[kMostWords];
    for (std::size_t i = 0; i < words.size(); ++i) {
        texts[i] = words[i].data();
        sizes[i] = words[i].size();
    }
    ::redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts, sizes);
    written_ = false;
}

Result<void> RedisLink::write() {
    int done = 0;
    if (::redisBufferWrite(context_.get(), &done) != REDIS_OK) return failed();
    written_ = done != 0;
    return {};
}

Result<void> RedisLink::read() {
    if (::redisBufferRead(context_.get()) != REDIS_OK) return failed();
    return {};
}

Result<Reply> RedisLink::next() {
    void* reply = nullptr;
    if (::redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) return failed();
    return Reply(static_cast<redisReply*>(reply));
}

ServerFacts facts_of(std::string_view info) {
    const auto value = [&](std::string_view name) {
        const std::string start = fmt::format("\n{}:", name);
        const std::size_t at = info.find(start);
        if (at == std::string_view::npos) return std::string();
        const std::string_view rest = info.substr(at + start.size());
        return std::string(rest.substr(0, rest.find_first_of("\r\n")));
    };
    return {.version = value("redis_version"),
            .run_id = value("run_id"),
            .role = value("role"),
            .policy = value("maxmemory_policy"),
            .loading = value("loading") == "1",
            .limited = value("maxmemory") != "0"};
}

Result<void> check(const ServerFacts& facts, std::string_view place, bool any_policy) {
    constexpr int kLeastVersion = 6;
    constexpr std::size_t kRunIdBytes = 40;
    if (std::atoi(facts.version.c_str()) < kLeastVersion || facts.run_id.size() != kRunIdBytes) {
        return error(Code::unsafe,
                     fmt::format("Redis at {} is of version \"{}\"; the gate needs {} or later",
                                 place, facts.version, kLeastVersion));
    }
    if (facts.limited && facts.policy != "noeviction" && !any_policy) {
        return error(Code::unsafe,
                     fmt::format("Redis at {} has maxmemory-policy {}: it would throw reservations "
                                 "away; set maxmemory-policy noeviction",
                                 place, facts.policy));
    }
    if (facts.role != "master") {
        return error(Code::not_ready,
                     fmt::format("Redis at {} is a {}; give the gate the address of the primary",
                                 place, facts.role));
    }
    if (facts.loading) {
        return error(Code::not_ready, fmt::format("Redis at {} is still loading its data", place));
    }
    return {};
}

}  // namespace penstock
