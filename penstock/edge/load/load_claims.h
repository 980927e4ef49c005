#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/edge/load/load.h"

namespace penstock::load {

/// A claim in the hands of a virtual user.
struct Claim {
    std::array<char, 36> id{};  ///< a UUIDv7 as text
    std::uint64_t user = 0;
    bool repeat = false;   ///< its id was answered before
    std::string expected;  ///< of a repeat: what its grant said; empty where it was refused

    std::string_view id_text() const { return {id.data(), id.size()}; }
};

inline constexpr std::size_t kUserDigits = 10;
/// The number of a user, which stands behind the prefix.
void write_user(std::uint64_t user, char* into);

/// Makes the claims of a run: new ids for new users, and now and then one that was answered. Of the
/// answered ones the last 4,096 may be chosen. Threads: one.
class ClaimSource {
public:
    ClaimSource(const LoadOptions& options, Env& env);

    /// False: all are begun.
    bool next(Claim& claim);
    /// `members` of the grant, empty for a refusal.
    void remember(const Claim& claim, std::string_view members);

private:
    /// splitmix64 (Steele, Lea, Flood 2014): ids need spread here, no secrecy.
    class Spread final : public Random {
    public:
        explicit Spread(std::uint64_t seed) : state_(seed) {}
        std::uint64_t next() override;

    private:
        std::uint64_t state_;
    };

    const LoadOptions& options_;
    Env& env_;
    Spread random_;
    std::uint64_t begun_ = 0, users_ = 0;
    std::vector<Claim> answered_;
    std::size_t oldest_ = 0;
};

/// Writes claims as requests; all of one run have the same form, so that it is copied and patched.
class RequestWriter {
public:
    explicit RequestWriter(const LoadOptions& options);
    void write(std::span<const Claim> claims, std::string& request) const;

private:
    const bool batch_;
    std::string form_;  ///< one claim's request, or the head of a batch up to its length
    std::string line_;  ///< of a batch
    std::size_t id_at_ = 0, user_at_ = 0;
};

}  // namespace penstock::load
