#include "test/kit/engines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <stdexcept>

namespace json = boost::json;

namespace penstock::test {
namespace {

EngineAt engine_of(const json::value& told, std::string name) {
    const json::object& object = told.as_object();
    if (const json::value* failure = object.if_contains("error")) {
        throw std::runtime_error(std::string(failure->as_string()));
    }
    return {std::move(name), std::string(object.at("url").as_string()),
            std::string(object.at("dir").as_string()),
            static_cast<int>(object.at("port").as_int64()),
            static_cast<pid_t>(object.at("pid").as_int64())};
}

json::object options_of(const Engines::Options& options) {
    json::object object;
    for (const auto& [key, value] : options) object[key] = value;
    return object;
}

}  // namespace

Engines::Engines() {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe to engines.py");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string words[] = {"python3", PENSTOCK_ENGINES_PY, "run"};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    const int failed = ::posix_spawnp(&pid_, "python3", &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = ::fdopen(out[0], "r");
    if (failed != 0) throw std::runtime_error("python3 cannot be started; run ./dev install");
}

Engines::~Engines() {
    ::close(to_);  // engines.py ends its servers and itself
    std::fclose(from_);
    ::waitpid(pid_, nullptr, 0);
}

std::string Engines::obey(const std::string& order) {
    const std::string line = order + "\n";
    if (::write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        throw std::runtime_error("engines.py has ended");
    }
    char* text = nullptr;
    std::size_t capacity = 0;
    const ssize_t size = ::getline(&text, &capacity, from_);
    std::string answer = size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
    ::free(text);
    if (answer.empty()) throw std::runtime_error("engines.py has ended");
    return answer;
}

EngineAt Engines::start(const std::string& kind, const std::string& name, const Options& options) {
    const json::object order{
        {"do", "start"}, {"engine", kind}, {"name", name}, {"options", options_of(options)}};
    return engine_of(json::parse(obey(json::serialize(order))), name);
}

std::vector<EngineAt> Engines::start_brokers(int count, const Options& options) {
    json::object settings = options_of(options);
    settings["count"] = count;
    const json::object order{{"do", "start"}, {"engine", "brokers"}, {"options", settings}};
    const json::value told = json::parse(obey(json::serialize(order)));
    if (told.is_object()) (void)engine_of(told, "");
    std::vector<EngineAt> brokers;
    for (const json::value& broker : told.as_array()) {
        brokers.push_back(engine_of(broker, fmt::format("kafka-{}", brokers.size() + 1)));
    }
    return brokers;
}

void Engines::simple(const std::string& what, const std::string& name) {
    (void)engine_of(json::parse(obey(json::serialize(json::object{{"do", what}, {"name", name}}))),
                    name);
}

void Engines::stop(const std::string& name) {
    simple("stop", name);
}

void Engines::kill(const std::string& name) {
    simple("kill", name);
}

EngineAt Engines::restart(const std::string& name) {
    return engine_of(
        json::parse(obey(json::serialize(json::object{{"do", "restart"}, {"name", name}}))), name);
}

void Engines::pause(const std::string& name) {
    simple("pause", name);
}

void Engines::resume(const std::string& name) {
    simple("resume", name);
}

int free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    const bool bound = ::bind(probe, raw, size) == 0 && ::getsockname(probe, raw, &size) == 0;
    ::close(probe);
    if (!bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

}  // namespace penstock::test
