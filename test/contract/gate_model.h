#pragma once

#include <map>
#include <string>
#include <utility>

#include "test/contract/gate_subject.h"

namespace penstock::contract {

/// The gate's contract in its plainest form, for comparison. Threads: the test's.
class GateModel {
public:
    std::pair<Admission, std::uint32_t> ask(const Claim& claim, LogTime now);
    void settle(const Claim& claim, bool granted);
    bool begin_rebuild(const ResourceSpec& spec, GateGeneration generation);
    bool load(const Claim& claim, GateGeneration generation, bool granted);
    bool open(const std::string& resource, GateGeneration generation);
    void alter(const ResourceSpec& spec);
    void drop(const std::string& resource) { resources_.erase(resource); }
    /// Null if there is no such resource.
    const GateCounts* counts(const std::string& resource);

private:
    struct Entry {
        std::string holder;
        std::uint32_t quantity;
        bool granted;
    };
    struct Resource {
        GateCounts counts;
        std::map<std::uint64_t, Entry> entries;
        std::map<std::uint64_t, bool> returned;  ///< given back during the rebuild

        std::uint64_t units(bool granted) const;
        std::uint64_t units_of(const std::string& holder) const;
        std::uint32_t left() const;
    };

    static Admission decide(Resource& resource, const Claim& claim, LogTime now);

    std::map<std::string, Resource> resources_;
};

}  // namespace penstock::contract
