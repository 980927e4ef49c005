#include "penstock/log/memory/memory_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {
namespace {

class MemoryBatch final : public ReadBatch {
public:
    void add(const std::shared_ptr<StoredRecord>& record) {
        owners_.push_back(record);
        records_.push_back(record->logged());
    }
    std::span<const Logged> records() const override { return records_; }

private:
    StoredRecords owners_;
    std::vector<Logged> records_;
};

std::size_t bytes_of(const Record& record) {
    std::size_t bytes = record.key ? record.key->size() : 0;
    bytes += record.value ? record.value->size() : 0;
    for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
    return bytes;
}

Error unknown_topic(const TopicId& topic) {
    return error(Code::not_found, fmt::format("there is no topic {}", topic.value()));
}

}  // namespace

StoredRecord::StoredRecord(const Record& record) {
    bytes_.reserve(bytes_of(record));  // the views point into it: it must not move
    if (record.key) logged_.key = keep(*record.key);
    if (record.value) logged_.value = keep(*record.value);
    headers_.reserve(record.headers.size());
    for (const Header& header : record.headers) {
        const Bytes name = keep(as_bytes(header.name));
        headers_.push_back({as_text(name), keep(header.value)});
    }
    logged_.headers = headers_;
    logged_.layout = record.layout;
}

Bytes StoredRecord::keep(Bytes field) {
    const std::size_t at = bytes_.size();
    bytes_.append(as_text(field));
    return as_bytes(std::string_view(bytes_).substr(at));
}

void StoredRecord::place(Offset offset, LogTime time) {
    logged_.offset = offset;
    logged_.time = time;
}

void MemoryLogState::grow(Topic& topic, LogTime now, Random& random) {
    while (topic.partitions.size() < topic.spec.partitions) {
        Partition partition;
        partition.uuid = make_uuid_v7(now, random);
        topic.partitions.push_back(std::move(partition));
    }
}

Result<void> MemoryLogState::create(const TopicSpec& spec, LogTime now, Random& random) {
    const MutexLock lock(mutex_);
    if (topics_.contains(spec.topic)) {
        return error(Code::exists, fmt::format("topic {} exists", spec.topic.value()));
    }
    Topic& topic = topics_[spec.topic];
    topic.spec = spec;
    grow(topic, now, random);
    return {};
}

Result<void> MemoryLogState::alter(const TopicSpec& spec, LogTime now, Random& random) {
    const MutexLock lock(mutex_);
    const auto found = topics_.find(spec.topic);
    if (found == topics_.end()) return unknown_topic(spec.topic);
    Topic& topic = found->second;
    if (spec.partitions < topic.spec.partitions) {
        return error(Code::invalid,
                     fmt::format("topic {} has {} partitions; their number only grows",
                                 spec.topic.value(), topic.spec.partitions));
    }
    topic.spec = spec;
    grow(topic, now, random);
    return {};
}

Result<void> MemoryLogState::remove(const TopicId& topic) {
    const MutexLock lock(mutex_);
    if (topics_.erase(topic) == 0) return unknown_topic(topic);
    return {};
}

Result<std::vector<TopicInfo>> MemoryLogState::describe(const std::optional<TopicId>& topic) {
    const MutexLock lock(mutex_);
    if (topic && !topics_.contains(*topic)) return unknown_topic(*topic);
    std::vector<TopicInfo> infos;
    for (const auto& [id, state] : topics_) {
        if (topic && id != *topic) continue;
        TopicInfo info{state.spec, {}};
        for (std::uint32_t i = 0; i < state.partitions.size(); ++i) {
            const Partition& partition = state.partitions[i];
            info.partitions.push_back({PartitionId(i), partition.uuid, partition.start,
                                       partition.end(), partition.bytes, std::nullopt});
        }
        infos.push_back(std::move(info));
    }
    return infos;
}

Result<MemoryLogState::Partition*> MemoryLogState::find(const TopicPartition& at) {
    const auto found = topics_.find(at.topic);
    if (found == topics_.end()) return unknown_topic(at.topic);
    if (at.partition.value() >= found->second.partitions.size()) {
        return error(Code::not_found,
                     fmt::format("topic {} has {} partitions, no partition {}", at.topic.value(),
                                 found->second.partitions.size(), at.partition.value()));
    }
    return &found->second.partitions[at.partition.value()];
}

bool MemoryLogState::has(const TopicPartition& at) {
    const MutexLock lock(mutex_);
    return find(at).ok();
}

std::uint64_t MemoryLogState::begin_life() {
    const MutexLock lock(mutex_);
    return ++life_;
}

Result<Offset> MemoryLogState::write(std::uint64_t life, const TopicPartition& at,
                                     StoredRecords records, LogTime now) {
    const MutexLock lock(mutex_);
    if (life != life_) return unknown_effect(Code::io, "the disk of the memory log is gone");
    auto found = find(at);
    if (!found) return std::move(found).error();
    Partition& partition = **found;
    const Offset base = partition.end();
    partition.last_time = std::max(partition.last_time, now);
    for (auto& record : records) {
        record->place(partition.end(), partition.last_time);
        partition.bytes += record->bytes();
        partition.records.push_back(std::move(record));
    }
    return base;
}

Result<OffsetRange> MemoryLogState::range(const TopicPartition& at) {
    const MutexLock lock(mutex_);
    auto found = find(at);
    if (!found) return std::move(found).error();
    return OffsetRange{(*found)->start, (*found)->end()};
}

Result<std::unique_ptr<ReadBatch>> MemoryLogState::read(const TopicPartition& at, Offset from,
                                                        const ReadLimits& limits) {
    auto batch = std::make_unique<MemoryBatch>();
    const MutexLock lock(mutex_);
    auto found = find(at);
    if (!found) return std::move(found).error();
    const Partition& partition = **found;
    if (from < partition.start || from > partition.end()) {
        return error(
            Code::out_of_range,
            fmt::format("offset {} of {}/{} is outside {}..{}", from.value(), at.topic.value(),
                        at.partition.value(), partition.start.value(), partition.end().value()));
    }
    std::size_t bytes = 0;
    std::size_t next = from.value() - partition.start.value();
    for (std::size_t n = 0; n < limits.max_records && next < partition.records.size(); ++n) {
        const auto& record = partition.records[next++];
        bytes += record->bytes();
        if (n > 0 && bytes > limits.max_bytes) break;
        batch->add(record);
    }
    return std::unique_ptr<ReadBatch>(std::move(batch));
}

Result<Offset> MemoryLogState::offset_at(const TopicPartition& at, LogTime time) {
    const MutexLock lock(mutex_);
    auto found = find(at);
    if (!found) return std::move(found).error();
    const auto& records = (*found)->records;
    const auto first =
        std::partition_point(records.begin(), records.end(),
                             [&](const auto& record) { return record->logged().time < time; });
    return Offset((*found)->start.value() + static_cast<std::uint64_t>(first - records.begin()));
}

Result<Offset> MemoryLogState::trim(const TopicPartition& at, Offset before, LogTime now,
                                    std::size_t segment_records) {
    const MutexLock lock(mutex_);
    auto found = find(at);
    if (!found) return std::move(found).error();
    Partition& partition = **found;
    const TopicSpec& spec = topics_.at(at.topic).spec;
    for (;;) {
        // The last segment takes appends and stays.
        const std::uint64_t segment_end =
            (partition.start.value() / segment_records + 1) * segment_records;
        if (segment_end > before.value() || segment_end >= partition.end().value()) break;
        const std::size_t count = segment_end - partition.start.value();
        const bool too_old = spec.retention_time && partition.records[count - 1]->logged().time <
                                                        now - *spec.retention_time;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < count; ++i) bytes += partition.records[i]->bytes();
        const bool too_big =
            spec.retention_bytes && partition.bytes - bytes >= *spec.retention_bytes;
        if (!too_old && !too_big) break;
        partition.bytes -= bytes;
        partition.records.erase(partition.records.begin(),
                                partition.records.begin() + static_cast<std::ptrdiff_t>(count));
        partition.start = Offset(segment_end);
    }
    return partition.start;
}

}  // namespace penstock
