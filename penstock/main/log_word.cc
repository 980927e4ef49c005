#include <fmt/format.h>

#include "penstock/edge/cli/exit_code.h"
#include "penstock/log/file/inspector.h"
#include "penstock/main/data_directory.h"
#include "penstock/main/words.h"

namespace penstock {
namespace {

std::string text_of(const std::optional<Error>& damage) {
    return damage ? "  DAMAGED: " + damage->text : "";
}

void print_text(const LogReport& report) {
    for (const TopicReport& topic : report.topics) {
        fmt::print("topic {}{}\n", topic.topic.value(), text_of(topic.damage));
        for (const PartitionReport& partition : topic.partitions) {
            fmt::print("  partition {}  offsets {}..{}  uuid {}{}\n",
                       partition.at.partition.value(), partition.start.value(),
                       partition.end.value(), format_uuid(partition.uuid),
                       text_of(partition.damage));
            for (const SegmentReport& segment : partition.segments) {
                fmt::print("    {}  offsets {}..{}  {} batches, {} of {} bytes used{}{}\n",
                           segment.path, segment.base.value(), segment.end.value(), segment.batches,
                           segment.used_bytes, segment.file_bytes,
                           segment.torn_bytes == 0
                               ? ""
                               : fmt::format(", {} bytes torn", segment.torn_bytes),
                           text_of(segment.damage));
            }
        }
    }
}

void print_json(const LogReport& report) {
    std::string segments;
    for (const TopicReport& topic : report.topics) {
        for (const PartitionReport& partition : topic.partitions) {
            for (const SegmentReport& segment : partition.segments) {
                segments += fmt::format(
                    R"({}{{"topic":"{}","partition":{},"base":{},"end":{},"batches":{},)"
                    R"("used_bytes":{},"file_bytes":{},"torn_bytes":{},"damaged":{}}})",
                    segments.empty() ? "" : ",", topic.topic.value(),
                    partition.at.partition.value(), segment.base.value(), segment.end.value(),
                    segment.batches, segment.used_bytes, segment.file_bytes, segment.torn_bytes,
                    segment.damage.has_value());
            }
        }
    }
    fmt::print("{{\"sound\":{},\"segments\":[{}]}}\n", report.sound(), segments);
}

int tell(const Result<LogReport>& report, bool json) {
    if (!report) return fail(report.error());
    json ? print_json(*report) : print_text(*report);
    return report->sound() ? cli::kExitDone : cli::kExitData;
}

}  // namespace

void add_log(CLI::App& app, CommonFlags& flags, Run& run) {
    CLI::App* word = app.add_subcommand("log", "look at the log's files, without a lock");
    word->require_subcommand(1);
    const auto directory = [](const CommonFlags& given) -> Result<std::string> {
        auto settings = settings_of(given);
        if (!settings) return std::move(settings).error();
        return DataDirectory{settings->data}.log();
    };
    word->add_subcommand("inspect", "topics, segments, damage")
        ->callback([&flags, &run, directory] {
            run = [&flags, directory] {
                const auto from = directory(flags);
                if (!from) return fail(from.error());
                return tell(LogInspector(system_env(), *from).inspect(), flags.json);
            };
        });
    struct Salvage {
        std::string into;
        bool dry_run = false;
    };
    auto salvage = std::make_shared<Salvage>();
    CLI::App* rescue = word->add_subcommand("salvage", "copy what stands before the damage");
    rescue->add_option("--into", salvage->into, "new directory for the copy");
    rescue->add_flag("--dry-run", salvage->dry_run, "only say what would be kept");
    rescue->callback([&flags, &run, directory, salvage] {
        run = [&flags, directory, salvage] {
            const auto from = directory(flags);
            if (!from) return fail(from.error());
            if (salvage->into.empty() && !salvage->dry_run) {
                return fail(error(Code::invalid, "give --into DIRECTORY, or --dry-run"));
            }
            auto kept = LogInspector(system_env(), *from).salvage(salvage->into, salvage->dry_run);
            if (!kept) return fail(kept.error());
            flags.json ? print_json(*kept) : print_text(*kept);
            return cli::kExitDone;
        };
    });
}

}  // namespace penstock
