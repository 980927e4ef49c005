#include "penstock/gate/local/segment_pool.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "penstock/base/check.h"

namespace penstock {

SegmentPool::~SegmentPool() {
    for (const auto& [page, free] : pages_) {
        PENSTOCK_CHECK(free == kAllFree);  // a table outlives its pool
        std::free(reinterpret_cast<void*>(page));
    }
}

void* SegmentPool::take() {
    return std::memset(take_block(), 0, kBlockBytes);
}

void* SegmentPool::take_block() {
    const MutexLock lock(mutex_);
    if (with_room_.empty()) {
        void* const made = std::aligned_alloc(kPageBytes, kPageBytes);
        if (made == nullptr) throw std::bad_alloc();
        ::madvise(made, kPageBytes, MADV_HUGEPAGE);  // small pages do, too
        const auto page = reinterpret_cast<std::uintptr_t>(made);
        pages_.emplace(page, kAllFree);
        with_room_.insert(page);
    }
    const std::uintptr_t page = *with_room_.begin();
    std::uint32_t& free = pages_.at(page);
    const auto block = static_cast<std::size_t>(std::countr_zero(free));
    free &= free - 1;
    if (free == 0) with_room_.erase(page);
    return reinterpret_cast<void*>(page + block * kBlockBytes);
}

void SegmentPool::give_back(void* block) {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    const std::uintptr_t page = address & ~(kPageBytes - 1);
    const MutexLock lock(mutex_);
    std::uint32_t& free = pages_.at(page);
    free |= 1U << ((address - page) / kBlockBytes);
    with_room_.insert(page);
    // One page may stay empty, for a table that grows and shrinks around the edge of it.
    if (free != kAllFree || with_room_.size() == 1) return;
    with_room_.erase(page);
    pages_.erase(page);
    std::free(reinterpret_cast<void*>(page));
}

}  // namespace penstock
