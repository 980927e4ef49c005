#include "penstock/edge/http/record_stream.h"

#include "penstock/edge/http/record_json.h"
#include "penstock/edge/http/target.h"

namespace penstock::http {
namespace {

constexpr std::chrono::milliseconds kLookAgain{50};  ///< for new records, when at the end
constexpr std::chrono::seconds kSignOfLife{15};      ///< a comment, so that proxies keep the stream

struct Place {
    PartitionId partition;
    std::optional<Offset> next;  ///< none: the end, as it is when first looked at
    bool from_start = false;
};

struct Page {
    std::vector<Place> places;
    std::string events;
    bool more = false;
    std::optional<Error> failure;
};

/// Blocks on the disk.
Page read_page(Log& log, const TopicId& topic, std::vector<Place> places) {
    static constexpr ReadLimits kLimits{100, 128 * 1024};
    Page page{std::move(places), "", false, std::nullopt};
    const auto topics = log.describe(topic);
    if (!topics) return page.failure = topics.error(), page;
    const auto& partitions = topics->front().partitions;
    if (page.places.empty()) {
        for (const PartitionInfo& info : partitions) page.places.push_back({info.partition, {}});
    }
    for (Place& place : page.places) {
        if (place.partition.value() >= partitions.size()) {
            page.failure = error(Code::not_found, "the topic has no such partition");
            return page;
        }
        const PartitionInfo& info = partitions[place.partition.value()];
        if (!place.next) place.next = place.from_start ? info.start : info.end;
        if (*place.next == info.end) continue;
        auto batch = log.read({topic, place.partition}, *place.next, kLimits);
        if (!batch) return page.failure = batch.error(), page;
        for (const Logged& record : (*batch)->records()) {
            page.events += "id: " + std::to_string(place.partition.value()) + ':' +
                           std::to_string(record.offset.value()) + "\ndata: ";
            append_record(page.events, record, place.partition);
            page.events += "\n\n";
            place.next = Offset(record.offset.value() + 1);
        }
        page.more = page.more || *place.next < info.end;
    }
    return page;
}

class RecordStream : public std::enable_shared_from_this<RecordStream> {
public:
    RecordStream(Context& context, ExchangePtr exchange, std::string topic,
                 std::vector<Place> places)
        : context_(context),
          exchange_(std::move(exchange)),
          topic_(std::move(topic)),
          places_(std::move(places)) {}

    void fetch() {
        auto self = shared_from_this();
        const bool queued = context_.loop().block(
            [self, inbox = context_.loop().inbox(), places = places_]() mutable {
                auto page = std::make_shared<Page>(
                    read_page(self->context_.log(), TopicId(self->topic_), std::move(places)));
                inbox->post([self, page] { self->arrived(*page); });
            });
        if (!queued) fetch_later();
    }

private:
    void arrived(Page& page) {
        if (exchange_->over()) return;
        if (page.failure) {
            return begun_ ? exchange_->abort_stream() : exchange_->fail(problem_of(*page.failure));
        }
        if (!begun_) {
            begun_ = true;
            auto self = shared_from_this();
            if (!exchange_->stream({200, kEventStream, "", ""}, [self] { self->drained(); }))
                return;
            last_sign_ = context_.loop().now();
            page.events.insert(0, ": connected\n\n");
        }
        places_ = std::move(page.places);
        more_ = page.more;
        if (!page.events.empty()) return exchange_->write(page.events);
        fetch_later();
    }

    /// The client has taken what was sent.
    void drained() {
        last_sign_ = context_.loop().now();
        more_ ? fetch() : fetch_later();
    }

    void fetch_later() {
        exchange_->at_deadline(context_.loop().now() + kLookAgain,
                               [self = shared_from_this()] { self->look_again(); });
    }

    void look_again() {
        if (context_.loop().stopping()) return exchange_->end_stream();
        if (context_.loop().now() - last_sign_ > kSignOfLife) {
            return exchange_->write(": still here\n\n");
        }
        fetch();
    }

    Context& context_;
    const ExchangePtr exchange_;
    const std::string topic_;
    std::vector<Place> places_;
    MonoTime last_sign_{};
    bool begun_ = false, more_ = false;
};

/// `partition:offset`
std::optional<Place> after_event(std::string_view id) {
    const std::size_t colon = id.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto partition = number(id.substr(0, colon), 0);
    const auto offset = number(id.substr(colon + 1), 0);
    if (!partition || *partition >= kMaxPartitions || !offset) return std::nullopt;
    return Place{PartitionId(static_cast<std::uint32_t>(*partition)), Offset(*offset + 1)};
}

Result<std::vector<Place>> parse_places(const Request& request) {
    const Error wrong = error(Code::invalid,
                              "the query takes partition and offset (a number, "
                              "start or end); Last-Event-ID is partition:offset");
    const auto query = Query::parse(request.query);
    if (!query || query->stranger({"partition", "offset"})) return wrong;
    const auto partition = number(query->get("partition"), 0);
    const auto offset = query->get("offset").value_or("end");
    if (!partition || *partition >= kMaxPartitions) return wrong;
    Place place{PartitionId(static_cast<std::uint32_t>(*partition)), std::nullopt,
                offset == "start"};
    if (offset != "start" && offset != "end") {
        const auto at = number(offset, 0);
        if (!at) return wrong;
        place.next = Offset(*at);
    }
    if (const auto last = request.field("Last-Event-ID")) {
        const auto after = after_event(*last);
        if (!after) return wrong;
        place = *after;
    } else if (!query->get("partition") && offset == "end") {
        return std::vector<Place>();  // all partitions
    }
    return std::vector<Place>{place};
}

}  // namespace

void follow_records(Context& context, const ExchangePtr& exchange, const Request& request,
                    const std::string& topic) {
    auto places = parse_places(request);
    if (!places) return exchange->fail(problem_of(places.error()));
    std::make_shared<RecordStream>(context, exchange, topic, std::move(*places))->fetch();
}

}  // namespace penstock::http
