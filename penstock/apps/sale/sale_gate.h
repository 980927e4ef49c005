#pragma once

#include "penstock/apps/sale/sale.h"

namespace penstock::sale {

/// A campaign is a resource of the gate, its id the resource's name; the user id is the holder.
class SaleGate final : public GateLink {
public:
    /// A user id with escapes or beyond ASCII is kept for this many later calls on this thread.
    static constexpr std::size_t kKeptHolders = 4096;

    std::optional<Ask> ask(const Command& command) const override;
    Result<std::vector<ResourceSpec>> resources(Session& session) const override;
    Result<bool> exists(Session& session, std::string_view resource) const override;
    Result<void> holdings(
        Session& session, const ResourceSpec& resource,
        const std::function<Result<void>(std::span<const Holding>)>& take) const override;
    std::optional<Change> changed(const Command& command, const Done& done) const override;
};

}  // namespace penstock::sale
