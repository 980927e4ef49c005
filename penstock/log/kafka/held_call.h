#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/log/log.h"

namespace penstock::logkafka {

/// One append() with bytes of its own, for a topic that must be looked at first.
struct HeldCall {
    struct Held {
        std::optional<std::string> key, value;
        std::vector<std::pair<std::string, std::string>> headers;
        LayoutId layout;
    };

    TopicPartition at;
    std::uint64_t first_tag = 0;
    AppendSink* sink = nullptr;
    std::vector<Held> records;
    std::size_t bytes = 0;

    HeldCall(const TopicPartition& where, std::span<const Record> all, std::uint64_t tag,
             AppendSink& whom);
    /// Calls `append` with the records, borrowed.
    template <class Append>
    void replay(Append&& append) const {
        std::vector<std::vector<Header>> headers(records.size());
        std::vector<Record> all(records.size());
        for (std::size_t i = 0; i < records.size(); ++i) {
            const Held& held = records[i];
            for (const auto& [name, text] : held.headers) {
                headers[i].push_back({name, as_bytes(text)});
            }
            if (held.key) all[i].key = as_bytes(*held.key);
            if (held.value) all[i].value = as_bytes(*held.value);
            all[i].headers = headers[i];
            all[i].layout = held.layout;
        }
        append(std::span<const Record>(all));
    }
    void refuse(const Error& why) const;
};

}  // namespace penstock::logkafka
