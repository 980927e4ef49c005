#include "penstock/main/child_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace penstock {
namespace {

constexpr std::string_view kUrlMember = "\"url\":\"";

/// The URL in the line with which the child says that it listens; empty if it ended before.
std::string read_url(FILE* from) {
    char line[8192];
    if (std::fgets(line, sizeof line, from) == nullptr) return "";
    const std::string_view text = line;
    const auto at = text.find(kUrlMember);
    if (at == std::string_view::npos) return "";
    const std::string_view url = text.substr(at + kUrlMember.size());
    return std::string(url.substr(0, url.find('"')));
}

}  // namespace

Result<std::unique_ptr<ChildServer>> ChildServer::start(const std::string& data_directory) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return error(Code::io, "no pipe for the server's messages");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = "penstock";
    std::string words[] = {"serve",        "--listen", "127.0.0.1:0", "--data",
                           data_directory, "--output", "json"};
    std::vector<char*> arguments = {program.data()};
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int failed =
        ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    const std::unique_ptr<FILE, int (*)(FILE*)> told(::fdopen(ends[0], "r"), &std::fclose);
    if (failed != 0 || told == nullptr) {
        return error(Code::io, "the server's process cannot be started");
    }
    std::unique_ptr<ChildServer> child(new ChildServer(pid));
    child->url_ = read_url(told.get());
    if (child->url_.empty()) {
        return error(Code::unreachable, "the server ended before it listened; see above why");
    }
    return child;
}

ChildServer::~ChildServer() {
    if (!stopped_) stop();
}

int ChildServer::stop() {
    stopped_ = true;
    ::kill(pid_, SIGTERM);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

double ChildServer::resident_mib() const {
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    for (std::string line; std::getline(status, line);) {
        long kib = 0;
        if (std::sscanf(line.c_str(), "VmRSS: %ld kB", &kib) == 1) return kib / 1024.0;
    }
    return 0;
}

}  // namespace penstock
