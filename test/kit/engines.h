#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace penstock::test {

/// A real server started by a test. `url` is what penstock.toml would say.
struct EngineAt {
    std::string name, url, dir;
    int port = 0;
    pid_t pid = 0;
};

/// Real servers (test/engines/engines.py) on free ports of 127.0.0.1 in a temporary directory; all
/// end with this object, or with the test, however it ends. A server that cannot be had fails the
/// test with its own message. Threads: one.
class Engines {
public:
    using Options = std::map<std::string, std::string>;  ///< settings of the engine

    Engines();
    ~Engines();
    Engines(const Engines&) = delete;
    Engines& operator=(const Engines&) = delete;

    /// `kind`: redis, postgres, mariadb or kafka (one broker).
    EngineAt start(const std::string& kind, const std::string& name, const Options& options = {});
    /// Kafka brokers of one cluster, named kafka-1, kafka-2, ...
    std::vector<EngineAt> start_brokers(int count, const Options& options = {});

    void stop(const std::string& name);         ///< as its service manager would
    void kill(const std::string& name);         ///< SIGKILL, all its processes
    EngineAt restart(const std::string& name);  ///< kill if it runs; same directory, same port
    void pause(const std::string& name);        ///< SIGSTOP
    void resume(const std::string& name);

private:
    std::string obey(const std::string& order);
    void simple(const std::string& what, const std::string& name);

    pid_t pid_ = 0;
    int to_ = -1;
    FILE* from_ = nullptr;
};

/// A port of 127.0.0.1 that nobody listens on now.
int free_port();

}  // namespace penstock::test
