#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "penstock/base/bytes.h"
#include "penstock/base/guarded.h"

namespace penstock::logfile {

/// Memory that grows without being cleared. Whole sectors.
class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept
        : data_(std::move(other.data_)), capacity_(std::exchange(other.capacity_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        data_ = std::move(other.data_);
        capacity_ = std::exchange(other.capacity_, 0);
        return *this;
    }

    std::byte* data() { return data_.get(); }
    const std::byte* data() const { return data_.get(); }
    std::size_t capacity() const { return capacity_; }
    std::span<std::byte> first(std::size_t bytes) { return {data_.get(), bytes}; }

    /// Keeps the first `used` bytes.
    void reserve(std::size_t bytes, std::size_t used) {
        if (bytes <= capacity_) return;
        const std::size_t grown = std::max({bytes, capacity_ * 2, kLeastBytes});
        const std::size_t capacity = (grown + kLeastBytes - 1) / kLeastBytes * kLeastBytes;
        std::unique_ptr<std::byte[]> data(new std::byte[capacity]);
        used = std::min(used, capacity_);
        if (used > 0) std::memcpy(data.get(), data_.get(), used);
        data_ = std::move(data);
        capacity_ = capacity;
    }

private:
    static constexpr std::size_t kLeastBytes = 4096;

    std::unique_ptr<std::byte[]> data_;
    std::size_t capacity_ = 0;
};

/// Buffers between two uses: their pages are already there. Threads: any.
class BufferPool {
public:
    explicit BufferPool(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    Buffer take() {
        const MutexLock lock(mutex_);
        if (free_.empty()) return {};
        Buffer buffer = std::move(free_.back());
        free_.pop_back();
        bytes_ -= buffer.capacity();
        return buffer;
    }
    void give(Buffer&& buffer) {
        const MutexLock lock(mutex_);
        if (bytes_ + buffer.capacity() > max_bytes_) return;
        bytes_ += buffer.capacity();
        free_.push_back(std::move(buffer));
    }

private:
    const std::size_t max_bytes_;
    Mutex mutex_;
    std::vector<Buffer> free_ GUARDED_BY(mutex_);
    std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace penstock::logfile
