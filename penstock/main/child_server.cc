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

constexpr const char* kListening = "listening on ";

/// The child's first messages, up to the one that names its address.
std::string read_address(FILE* messages) {
    char line[1024];
    while (std::fgets(line, sizeof line, messages) != nullptr) {
        const std::string_view text = line;
        const auto at = text.find(kListening);
        if (at == std::string_view::npos) {
            std::fputs(line, stderr);
            continue;
        }
        std::string url(text.substr(at + std::string_view(kListening).size()));
        while (!url.empty() && (url.back() == '\n' || url.back() == '\r')) url.pop_back();
        return url;
    }
    return "";
}

}  // namespace

Result<std::unique_ptr<ChildServer>> ChildServer::start(const std::string& data_directory) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return error(Code::io, "no pipe for the server's messages");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    std::string program = "penstock";
    std::string words[] = {"serve", "--listen", "127.0.0.1:0", "--data", data_directory};
    std::vector<char*> arguments = {program.data()};
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int failed =
        ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    FILE* messages = ::fdopen(ends[0], "r");
    if (failed != 0 || messages == nullptr) {
        return error(Code::io, "the server's process cannot be started");
    }
    std::unique_ptr<ChildServer> child(new ChildServer(pid));
    child->url_ = read_address(messages);
    // Kept open on purpose until both end: a closed pipe would end the child at its next message.
    ::fcntl(::fileno(messages), F_SETFL, O_NONBLOCK);
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
