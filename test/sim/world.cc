#include "test/sim/world.h"

#include <atomic>

namespace penstock::test {
namespace {

std::string new_vfs_name() {
    static std::atomic<int> count{0};  // SQLite knows them by name, for the whole process
    return "penstock-machine-" + std::to_string(++count);
}

}  // namespace

World::World(std::uint64_t seed)
    : executor_(seed),
      random_(~seed),
      fate_(seed * 3 + 1),
      env_{executor_, random_, executor_, files_},
      vfs_(new_vfs_name(), env_) {
    files_.set_yield([this] { executor_.yield(); });
    PENSTOCK_CHECK(files_.make_directory(directory()).ok());
}

void World::run_until_off(std::function<void()> body) {
    bool returned = false;
    const auto first = executor_.spawn("main", [&returned, body = std::move(body)] {
        body();
        returned = true;
    });
    executor_.run_until([&] { return returned || off_; });
    if (off_) executor_.kill_all();  // before the task is joined
}

void World::cut_power() {
    executor_.kill_all();
    vfs_.crash();
    files_.crash(fate_);
    off_ = false;
}

}  // namespace penstock::test
