#include "penstock/log/kafka/held_call.h"

namespace penstock::logkafka {

HeldCall::HeldCall(const TopicPartition& where, std::span<const Record> all, std::uint64_t tag,
                   AppendSink& whom)
    : at(where), first_tag(tag), sink(&whom) {
    for (const Record& record : all) {
        Held& held = records.emplace_back();
        if (record.key) held.key = std::string(as_text(*record.key));
        if (record.value) held.value = std::string(as_text(*record.value));
        for (const Header& header : record.headers) {
            held.headers.emplace_back(header.name, as_text(header.value));
            bytes += header.name.size() + header.value.size();
        }
        held.layout = record.layout;
        bytes += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    }
}

void HeldCall::refuse(const Error& why) const {
    std::vector<Appended> refused;
    for (std::size_t i = 0; i < records.size(); ++i) refused.push_back({first_tag + i, why});
    if (!refused.empty()) sink->appended(refused);
}

}  // namespace penstock::logkafka
