// The program: one word, its flags, its exit code.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/main/version.h"
#include "penstock/main/words.h"

namespace {

/// A dump of the process would hold what callers sent.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

void add_common(CLI::App& app, penstock::CommonFlags& flags) {
    app.add_option("--config", flags.config, "settings file (penstock.toml)");
    app.add_option("--data", flags.data, "data directory (default ./penstock-data)");
    app.add_option("--listen", flags.listen, "address to serve HTTP on (127.0.0.1:8080)");
    app.add_option("--server", flags.server, "URL of a running node (http://127.0.0.1:8080)")
        ->each([&flags](const std::string&) { flags.server_given = true; });
    app.add_option_function<std::string>(
           "--output", [&flags](const std::string& form) { flags.json = form == "json"; },
           "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    app.fallthrough();
}

}  // namespace

int main(int argc, char** argv) {
    forbid_core_dumps();
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app{"Penstock puts the commands that fight over the same row in a line."};
    app.name("penstock");
    penstock::CommonFlags flags;
    penstock::Run run;
    add_common(app, flags);
    app.require_subcommand(1);
    penstock::add_serve(app, flags, run);
    penstock::add_demo(app, flags, run);
    penstock::add_load(app, flags, run);
    penstock::add_verify(app, flags, run);
    penstock::add_log(app, flags, run);
    penstock::add_topic_words(app, flags, run);
    app.add_subcommand("version", "print the version")->callback([&] {
        run = [&] {
            if (flags.json) {
                fmt::print("{{\"version\":\"{}\"}}\n", penstock::kVersion);
            } else {
                fmt::print("penstock {}\n", penstock::kVersion);
            }
            return penstock::cli::kExitDone;
        };
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& failure) {
        const int code = app.exit(failure, std::cout, std::cerr);
        return code == 0 ? penstock::cli::kExitDone : penstock::cli::kExitUsage;
    }
    return run();
}
