// The sale in one process: asynchronous callers, every reply after the store's commit, beside a
// bare SQLite loop that writes the same rows in the same run. One JSON line a figure, medians.
// Usage: runtime_bench [--runs N] [--small]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bench/bare_sqlite.h"
#include "bench/measure.h"
#include "test/kit/temp_dir.h"
#include "test/scenario/sale_node.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kCallers = 296;

struct Sizes {
    std::size_t runs = 5;
    std::size_t claims = 100'000;
    std::uint32_t units = 50'000;
};

struct Figures {
    double seconds, bare_seconds, p50_ms, p99_ms;
};

Figures run_once(const Sizes& sizes) {
    test::SaleNode node({.file_log = true});
    node.create_campaign("bench", {sizes.units, 1, {}, {}});
    Env& env = system_env();
    const MonoTime began = env.clock.mono();
    std::vector<double> waits;
    node.ask_many(
        {.campaign = "bench", .claims = sizes.claims, .callers = kCallers, .timed = true},
        [&](const test::Asked& asked) {
            if (asked.done() == nullptr) return;
            waits.push_back(std::chrono::duration<double, std::milli>(asked.took).count());
        });
    const double seconds = seconds_since(began);
    if (waits.size() != sizes.units) {
        give_up(fmt::format("{} granted instead of {}", waits.size(), sizes.units));
    }
    std::sort(waits.begin(), waits.end());
    const test::TempDir directory;
    return {seconds, bare_sale(directory.path() + "/bare.db", sizes.units, kCallers),
            waits[waits.size() / 2], waits[waits.size() * 99 / 100]};
}

int run(const Sizes& sizes) {
    std::vector<double> seconds, ratios, p50, p99;
    for (std::size_t i = 0; i < sizes.runs; ++i) {
        const Figures figures = run_once(sizes);
        seconds.push_back(figures.seconds);
        ratios.push_back(figures.seconds / figures.bare_seconds);
        p50.push_back(figures.p50_ms);
        p99.push_back(figures.p99_ms);
    }
    fmt::print(R"({{"figure":"in_process_sale","claims":{},"units":{},"callers":{},)"
               R"("runs":{},"seconds":{:.3f},"bare_sqlite_ratio":{:.2f},"p50_ms":{:.2f},)"
               R"("p99_ms":{:.2f}}})"
               "\n",
               sizes.claims, sizes.units, kCallers, sizes.runs, median(seconds), median(ratios),
               median(p50), median(p99));
    return 0;
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
    penstock::bench::Sizes sizes;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--small") sizes = {1, 2'000, 1'000};
        if (word == "--runs" && i + 1 < argc) sizes.runs = std::strtoul(argv[++i], nullptr, 10);
    }
    return penstock::bench::run(sizes);
}
