#include "penstock/log/file/topic_meta.h"

#include <fmt/format.h>

#include <cstring>

#include "penstock/base/checksum.h"
#include "penstock/log/file/format.h"

namespace penstock::logfile {
namespace {

constexpr std::uint32_t kMagic = 0x4d545350;  // PSTM
constexpr std::size_t kCrcAt = 8;
constexpr std::size_t kCovered = 12;
constexpr std::size_t kFixedBytes = 34;
constexpr std::size_t kPartitionBytes = 24;
constexpr std::size_t kMaxBytes = kFixedBytes + 249 + kMaxPartitions * kPartitionBytes;

template <class T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T get(Bytes bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

/// Everything but itself.
std::uint32_t crc_of(Bytes bytes) {
    return crc32c(bytes.subspan(kCovered), crc32c(bytes.first(kCrcAt)));
}

Error damaged(const char* what) {
    return error(Code::damaged, what);
}

}  // namespace

std::string encode(const TopicMeta& meta) {
    std::string out;
    put(out, kMagic);
    put(out, kFormatVersion);
    put(out, std::uint32_t{0});
    put(out, static_cast<std::uint32_t>(meta.partitions.size()));
    put(out, meta.spec.retention_time ? std::int64_t{meta.spec.retention_time->count()} : -1);
    put(out, meta.spec.retention_bytes ? static_cast<std::int64_t>(*meta.spec.retention_bytes)
                                       : std::int64_t{-1});
    const std::string& name = meta.spec.topic.value();
    put(out, static_cast<std::uint16_t>(name.size()));
    out += name;
    for (const auto& partition : meta.partitions) {
        put(out, partition.uuid.bytes);
        put(out, partition.start.value());
    }
    const std::uint32_t crc = crc_of(as_bytes(out));
    std::memcpy(out.data() + kCrcAt, &crc, sizeof crc);
    return out;
}

Result<TopicMeta> decode_topic_meta(Bytes bytes) {
    if (bytes.size() < kFixedBytes) return damaged("the file is cut short");
    if (get<std::uint32_t>(bytes, 0) != kMagic) return damaged("this is no topic.meta");
    const auto version = get<std::uint32_t>(bytes, 4);
    if (get<std::uint32_t>(bytes, kCrcAt) != crc_of(bytes)) {
        return damaged("its checksum is wrong");
    }
    if (version != kFormatVersion) {
        return error(Code::too_new, fmt::format("it has format version {}; this program knows {}: "
                                                "use a newer one",
                                                version, kFormatVersion));
    }
    const auto count = get<std::uint32_t>(bytes, 12);
    const auto retention_ms = get<std::int64_t>(bytes, 16);
    const auto retention_bytes = get<std::int64_t>(bytes, 24);
    const std::size_t name_bytes = get<std::uint16_t>(bytes, 32);
    if (count == 0 || count > kMaxPartitions ||
        bytes.size() != kFixedBytes + name_bytes + count * kPartitionBytes) {
        return damaged("its lengths do not fit");
    }
    TopicMeta meta;
    meta.spec.topic = TopicId(std::string(as_text(bytes.subspan(kFixedBytes, name_bytes))));
    meta.spec.partitions = count;
    if (retention_ms >= 0) meta.spec.retention_time = std::chrono::milliseconds(retention_ms);
    if (retention_bytes >= 0) meta.spec.retention_bytes = retention_bytes;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t at = kFixedBytes + name_bytes + i * kPartitionBytes;
        TopicMeta::Partition partition;
        std::memcpy(partition.uuid.bytes.data(), bytes.data() + at, 16);
        partition.start = Offset(get<std::uint64_t>(bytes, at + 16));
        meta.partitions.push_back(partition);
    }
    return meta;
}

Result<TopicMeta> load_topic_meta(FileSystem& files, const std::string& directory) {
    const std::string path = directory + "/topic.meta";
    auto file = files.open(path, OpenMode::read);
    if (!file) return std::move(file).error();
    std::vector<std::byte> bytes(kMaxBytes + 1);
    auto read = (*file)->read(0, bytes);
    if (!read) return std::move(read).error();
    auto meta = decode_topic_meta(Bytes(bytes).first(*read));
    if (meta) return meta;
    return error(meta.error().code, fmt::format("{}: {}", path, meta.error().text));
}

Result<void> save_topic_meta(FileSystem& files, const std::string& directory,
                             const TopicMeta& meta) {
    const std::string path = directory + "/topic.meta";
    const std::string bytes = encode(meta);
    {
        auto file = files.open(path + ".tmp", OpenMode::create);
        if (!file) return std::move(file).error();
        PENSTOCK_TRY((*file)->truncate(0));
        PENSTOCK_TRY((*file)->write(0, as_bytes(bytes)));
        PENSTOCK_TRY((*file)->sync());
    }
    PENSTOCK_TRY(files.rename(path + ".tmp", path));
    return files.sync_directory(directory);
}

}  // namespace penstock::logfile
