// FZ2: a small good log, changed as the input says, with checksums mended where it asks for that.
// A start is refused, or what it finds can be read, and a second start finds the same and changes
// nothing.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/base/checksum.h"
#include "penstock/log/file/file_log.h"
#include "penstock/log/file/format.h"
#include "penstock/log/file/inspector.h"
#include "penstock/log/follower.h"
#include "test/integration/quiet_executor.h"
#include "test/integration/trace_files.h"

namespace penstock::crash {
namespace {

const TopicPartition kAt{TopicId("orders"), PartitionId(0)};

class CountingSink final : public AppendSink {
public:
    CountingSink() : wake_(system_env().executor.make_wake()) {}
    void appended(std::span<const Appended> results) noexcept override {
        PENSTOCK_CHECK(results.front().offset.ok());
        wake_->notify();
    }
    void wait() { wake_->wait_until(kNever); }

private:
    const std::unique_ptr<Wake> wake_;
};

FileLogOptions options() {
    FileLogOptions options;
    options.directory = "/log";
    options.first_segment_bytes = options.segment_bytes = 4096;
    return options;
}

Image make_good() {
    TraceFiles files;
    Env env{system_env().clock, system_env().random, system_env().executor, files};
    auto log = std::move(FileLog::open(env, options())).value();
    TopicSpec spec;
    spec.topic = kAt.topic;
    PENSTOCK_CHECK(log->create(spec).ok());
    for (int i = 0; i < 7; ++i) {
        const std::string value(100 + i * 200, static_cast<char>('a' + i));
        Record record;
        record.value = as_bytes(value);
        CountingSink sink;
        log->append(kAt, {&record, 1}, 0, sink);
        sink.wait();
    }
    log.reset();
    return files.image();
}

/// Takes the input apart; zeros when it is used up.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool done() const { return left_ == 0; }
    std::uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    std::uint32_t number() {
        const std::uint32_t high = byte();
        return high << 8 | byte();
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

/// Makes the checksums of the sector right again, as a segment header or as a batch's.
void mend(std::string& bytes, std::size_t at, const std::string& segment) {
    using namespace logfile;
    if (at + kSector > bytes.size()) return;
    const Bytes all = as_bytes(bytes);
    if (at == 0) {
        const std::uint32_t crc = crc32c(all.first(kSector - 4));
        std::memcpy(bytes.data() + kSector - 4, &crc, sizeof crc);
        return;
    }
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at + 4, sizeof length);
    if (length > kBatchHeaderBytes && at + round_to_sector(length) <= bytes.size()) {
        const std::uint32_t body = crc32c(
            all.subspan(at + kBatchHeaderBytes, round_to_sector(length) - kBatchHeaderBytes));
        std::memcpy(bytes.data() + at + 40, &body, sizeof body);
    }
    Uuid uuid;
    std::memcpy(uuid.bytes.data(), segment.data() + 8, 16);
    const std::uint32_t crc = crc32c(all.subspan(at, kBatchHeaderBytes - 4), batch_seed(uuid));
    std::memcpy(bytes.data() + at + kBatchHeaderBytes - 4, &crc, sizeof crc);
}

void change(Image& image, Input& input) {
    auto file = image.files.begin();
    std::advance(file, input.byte() % image.files.size());
    std::string& bytes = file->second;
    const std::size_t at = bytes.empty() ? 0 : input.number() % bytes.size();
    switch (input.byte() % 7) {
        case 0:
            bytes[at] = static_cast<char>(input.byte());
            break;
        case 1:
            bytes.replace(at, 512, std::min<std::size_t>(512, bytes.size() - at), '\0');
            break;
        case 2:
            bytes.resize(at);
            break;
        case 3:
            bytes.resize(bytes.size() + input.number() % 8192);
            break;
        case 4:
            mend(bytes, at / 512 * 512, bytes);
            break;
        case 5:
            for (std::size_t n = input.byte(), i = at; n > 0 && i < bytes.size(); --n) {
                bytes[i++] = static_cast<char>(input.byte());
            }
            break;
        case 6:
            if (image.files.size() > 1) image.files.erase(file);
            break;
    }
}

struct Content {
    OffsetRange range;
    std::vector<std::uint32_t> prints;
    friend bool operator==(const Content& a, const Content& b) {
        return a.range.start == b.range.start && a.range.end == b.range.end && a.prints == b.prints;
    }
};

/// Empty: refused, or no such topic.
std::optional<Content> start(TraceFiles& files) {
    static QuietExecutor executor;
    Env env{system_env().clock, system_env().random, executor, files};
    (void)LogInspector(env, "/log").inspect();
    auto log = FileLog::open(env, options());
    if (!log) return {};
    const auto topics = (*log)->describe(kAt.topic);
    if (!topics) return {};
    const auto& info = topics->at(0).partitions.at(0);
    Content content{{info.start, info.end}, {}};
    Offset next = info.start;
    while (next < info.end) {
        const auto batch = (*log)->read(kAt, next, {});
        if (!batch) {
            // Records that were never ours behind a good checksum.
            PENSTOCK_CHECK(batch.error().code == Code::damaged);
            break;
        }
        PENSTOCK_CHECK(!(*batch)->records().empty());
        for (const Logged& record : (*batch)->records()) {
            PENSTOCK_CHECK(record.offset == next);
            content.prints.push_back(fingerprint(record));
            next = Offset(next.value() + 1);
        }
    }
    return content;
}

}  // namespace
}  // namespace penstock::crash

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::crash;
    static const Image good = make_good();
    Image image = good;
    Input input(data, size);
    for (int i = 0; i < 16 && !input.done() && !image.files.empty(); ++i) change(image, input);
    TraceFiles files(std::move(image));
    const auto first = start(files);
    if (!first) return 0;
    const auto mended = files.image();
    const auto second = start(files);
    PENSTOCK_CHECK(second && *second == *first);
    PENSTOCK_CHECK(files.image().files == mended.files);
    return 0;
}
