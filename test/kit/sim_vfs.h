#pragma once

#include <memory>
#include <string>

#include "penstock/base/env.h"

namespace penstock::test {

/// An SQLite VFS, registered under `name`, on the files, clock, chance and sleep of an Env: so a
/// database loses at a power cut what SQLite had not synced. Locks and the WAL's shared memory live
/// in the object; crash() drops them, as the machine does.
/// Outlives the connections. Threads: any.
class SimVfs {
public:
    SimVfs(std::string name, Env& env);
    ~SimVfs();
    SimVfs(const SimVfs&) = delete;
    SimVfs& operator=(const SimVfs&) = delete;

    const std::string& name() const;
    /// Connections opened before answer every call with an I/O error from now on.
    void crash();

private:
    struct State;
    const std::unique_ptr<State> state_;
};

}  // namespace penstock::test
