#include "penstock/log/kafka/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "penstock/log/kafka/haul.h"

namespace penstock::logkafka {
namespace {

constexpr std::size_t kMaxIdle = 4;
constexpr std::chrono::seconds kReadTime{30};
constexpr std::chrono::seconds kLateTime{1};  ///< for records behind an end that is passed
constexpr std::chrono::seconds kRestAfter{5};

/// A haul's records with bytes of their own: librdkafka's may not outlive the consumer.
class Copy final : public ReadBatch {
public:
    explicit Copy(std::span<const Logged> records) : records_(records.begin(), records.end()) {
        std::size_t bytes = 0;
        std::size_t headers = 0;
        for (const Logged& record : records_) {
            bytes += record.key ? record.key->size() : 0;
            bytes += record.value ? record.value->size() : 0;
            headers += record.headers.size();
            for (const Header& header : record.headers) {
                bytes += header.name.size() + header.value.size();
            }
        }
        bytes_ = std::make_unique<std::byte[]>(bytes + 1);
        free_ = bytes_.get();
        headers_.reserve(headers);
        for (Logged& record : records_) keep(record);
    }
    std::span<const Logged> records() const override { return records_; }

private:
    void keep(Logged& record) {
        if (record.key) record.key = kept(*record.key);
        if (record.value) record.value = kept(*record.value);
        const std::size_t first = headers_.size();
        for (const Header& header : record.headers) {
            headers_.push_back({as_text(kept(as_bytes(header.name))), kept(header.value)});
        }
        record.headers = std::span<const Header>(headers_).subspan(first);
    }
    Bytes kept(Bytes bytes) {
        if (!bytes.empty()) std::memcpy(free_, bytes.data(), bytes.size());
        const Bytes copy(free_, bytes.size());
        free_ += bytes.size();
        return copy;
    }

    std::vector<Logged> records_;
    std::vector<Header> headers_;
    std::unique_ptr<std::byte[]> bytes_;
    std::byte* free_;
};

}  // namespace

Readers::Readers(Env& env, const KafkaLogOptions& options, Admin& admin, Graveyard& graveyard)
    : env_(env), options_(options), admin_(admin), graveyard_(graveyard) {}

Result<std::unique_ptr<ReadBatch>> Readers::read(const TopicPartition& at, Offset from,
                                                 const ReadLimits& limits) {
    const auto ends = admin_.ends(at);
    if (!ends) return ends.error();
    if (from < ends->start || from > ends->end) {
        return error(Code::out_of_range,
                     fmt::format("offset {} of {} is outside {}..{}", from.value(), text_of(at),
                                 ends->start.value(), ends->end.value()));
    }
    if (from == ends->end) {
        return std::unique_ptr<ReadBatch>(std::make_unique<Copy>(std::span<const Logged>()));
    }
    auto reader = take(at, from);
    if (!reader) return std::move(reader).error();
    auto batch = fill(*reader, ends->end, limits);
    if (batch) give_back(std::move(*reader));
    return batch;
}

/// One that continues there, else any idle one, else a new one.
Result<Readers::Reader> Readers::take(const TopicPartition& at, Offset from) {
    Reader reader;
    {
        const MutexLock lock(mutex_);
        auto found = std::find_if(idle_.begin(), idle_.end(), [&](const Reader& idle) {
            return idle.at == at && idle.next == from;
        });
        if (found == idle_.end() && idle_.size() == kMaxIdle) found = idle_.begin();
        if (found != idle_.end()) {
            reader = std::move(*found);
            idle_.erase(found);
        }
    }
    if (!reader.fetcher) {
        auto opened =
            Fetcher::open(env_, options_, graveyard_, logkafka::Role::reader, "penstock-reader");
        if (!opened) return std::move(opened).error();
        reader.fetcher = std::move(*opened);
    }
    if (reader.at == at && reader.next == from) return reader;
    if (reader.at && reader.at != at) reader.fetcher->stop(*reader.at);
    PENSTOCK_TRY(reader.fetcher->start(at, from));
    reader.at = at;
    reader.next = from;
    return reader;
}

void Readers::give_back(Reader reader) {
    reader.used = env_.clock.mono();
    const MutexLock lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(reader));
}

/// At least one record, unless only marks of transactions are left below `end`.
Result<std::unique_ptr<ReadBatch>> Readers::fill(Reader& reader, Offset end,
                                                 const ReadLimits& limits) {
    Haul haul(limits);
    MonoTime by = env_.clock.mono() + kReadTime;
    bool may_be_all = false;
    Fetcher& fetcher = *reader.fetcher;
    while (!haul.full() && reader.next < end) {
        Message message;
        const auto taken = fetcher.take(*reader.at, message);
        if (!taken) return taken.error();
        if (*taken == Fetcher::Taken::nothing) {
            if (env_.clock.mono() >= by && (may_be_all || haul.size() > 0)) break;
            if (env_.clock.mono() >= by) {
                return error(Code::unreachable,
                             fmt::format("read {}: the brokers did not answer within {} s",
                                         text_of(*reader.at), kReadTime.count()));
            }
            fetcher.serve();
            fetcher.wake().wait_until(by);
            continue;
        }
        const Offset offset(static_cast<std::uint64_t>(message->offset));
        if (*taken == Fetcher::Taken::end) {
            // Of an earlier read, or an open transaction holds back the rest.
            reader.next = std::max(reader.next, offset);
            may_be_all = true;
            by = std::min(by, env_.clock.mono() + kLateTime);
        } else if (haul.add(message)) {
            reader.next = Offset(offset.value() + 1);
        } else {
            fetcher.put_back(*reader.at, std::move(message));
            break;
        }
    }
    haul.seal();
    return std::unique_ptr<ReadBatch>(std::make_unique<Copy>(haul.records()));
}

void Readers::rest() {
    std::vector<Reader> tired;
    const MonoTime before = env_.clock.mono() - kRestAfter;
    const MutexLock lock(mutex_);
    for (auto reader = idle_.begin(); reader != idle_.end();) {
        if (reader->used >= before) {
            ++reader;
            continue;
        }
        tired.push_back(std::move(*reader));
        reader = idle_.erase(reader);
    }
}

}  // namespace penstock::logkafka
