#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

#include "penstock/base/guarded.h"

namespace penstock {

/// Zeroed blocks of 64 KiB cut from huge pages: in tables of hundreds of MiB that are read at
/// random, the look-up of a small page's address costs as much as the read itself. Shared by the
/// tables of a gate, so that a small one does not take a huge page; a page without a block in use
/// goes back to the system. Threads: any.
class SegmentPool {
public:
    static constexpr std::size_t kBlockBytes = 64 * 1024;

    SegmentPool() = default;
    ~SegmentPool();
    SegmentPool(const SegmentPool&) = delete;
    SegmentPool& operator=(const SegmentPool&) = delete;

    void* take();
    void give_back(void* block);

private:
    static constexpr std::size_t kPageBytes = 2 * 1024 * 1024;
    static constexpr std::uint32_t kAllFree = ~std::uint32_t{0};
    static_assert(kPageBytes / kBlockBytes == 32);

    void* take_block();

    Mutex mutex_;
    std::map<std::uintptr_t, std::uint32_t> pages_ GUARDED_BY(mutex_);  ///< address → free blocks
    std::set<std::uintptr_t> with_room_ GUARDED_BY(mutex_);
};

}  // namespace penstock
