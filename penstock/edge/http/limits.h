#pragma once

#include <chrono>
#include <cstddef>

namespace penstock::http {

/// Everything that a client could make large or slow. The defaults are safe for a hostile one.
struct HttpLimits {
    std::size_t header_bytes = 8 * 1024;  ///< request line and fields together
    std::size_t fields = 100;
    std::size_t body_bytes = 1024 * 1024;
    std::size_t batch_bytes = 4 * 1024 * 1024;  ///< body of a batch, and of records to publish
    std::size_t batch_lines = 1'000;
    std::size_t json_depth = 64;
    std::size_t connections = 1'024;
    std::size_t pipelined = 64;       ///< requests of one connection that are being answered
    std::size_t stream_clients = 64;  ///< event streams and lists that are being sent
    std::size_t buffered_bytes = 96 * 1024 * 1024;  ///< of all connections, in and out
    std::size_t backlog_bytes = 256 * 1024;         ///< unsent, beyond which nothing more is read
    std::size_t body_bytes_per_s = 1024;            ///< slower bodies end with 408 after body_grace
    std::chrono::milliseconds header{10'000};  ///< from the first byte to the end of the header
    std::chrono::milliseconds body_grace{5'000};
    std::chrono::milliseconds idle{60'000};
    std::chrono::milliseconds write{30'000};  ///< to send what is in the buffer
    std::chrono::milliseconds linger{2'000};  ///< for a client to read an answer before the end
    std::size_t linger_bytes = 1024 * 1024;   ///< passed over meanwhile
    std::chrono::milliseconds tick{50};       ///< how often time-outs are looked at
    std::chrono::milliseconds wait{10'000};   ///< for an outcome, where `Prefer: wait` is silent
    std::chrono::milliseconds max_wait{60'000};
};

}  // namespace penstock::http
