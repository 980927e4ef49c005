#include "penstock/main/command_line.h"

#include "penstock/edge/cli/exit_code.h"

namespace penstock {
namespace {

void add_common(CLI::App& app, CommonFlags& flags) {
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

std::variant<Run, int> CommandLine::parse(int argc, const char* const* argv, std::ostream& out,
                                          std::ostream& err) {
    CLI::App app{"Penstock puts the commands that fight over the same row in a line."};
    app.name("penstock");
    Run run;
    add_common(app, flags_);
    app.require_subcommand(1);
    add_serve(app, flags_, run);
    add_demo(app, flags_, run);
    add_load(app, flags_, run);
    add_verify(app, flags_, run);
    add_log(app, flags_, run);
    add_topic_words(app, flags_, run);
    add_version(app, flags_, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& failure) {
        const int code = app.exit(failure, out, err);
        return code == 0 ? cli::kExitDone : cli::kExitUsage;
    }
    return run;
}

}  // namespace penstock
