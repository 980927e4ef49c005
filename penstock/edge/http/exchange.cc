#include "penstock/edge/http/exchange.h"

#include "penstock/edge/http/connection.h"

namespace penstock::http {

Exchange::Exchange(Connection& connection, const Request& request, const Route* route,
                   MonoTime begun)
    : connection_(&connection),
      route_(route),
      begun_(begun),
      http_1_0_(request.http_1_0),
      head_only_(request.method == Method::head),
      keep_alive_(request.keep_alive) {}

void Exchange::respond(Response response) {
    if (over() || streaming_) return;
    const auto self = shared_from_this();
    if (response.close || connection_->hub_.stopping) keep_alive_ = false;
    const bool next = connection_->exchanges_.front().get() == this;
    write_response(next ? connection_->out_ : bytes_, response, connection_->head_options(*this));
    finish(response.status);
}

bool Exchange::stream(Response head, std::function<void()> more) {
    if (over()) return false;
    Hub& hub = connection_->hub_;
    if (hub.streams >= hub.limits.stream_clients) {
        fail({503, "too_many_streams",
              "Too many lists and event streams are being sent; try later.", Effect::none, 1});
        return false;
    }
    ++hub.streams;
    hub.metrics.streams(hub.streams);
    streaming_ = true;
    endless_ = head.content_type == kEventStream;
    status_ = head.status;
    late_ = nullptr;
    // HTTP/1.0 knows no chunks: the end of the body is the end of the connection.
    if (http_1_0_ || hub.stopping) keep_alive_ = false;
    write_stream_head(bytes_, head, connection_->head_options(*this));
    if (head_only_) {
        end_stream();
        return false;
    }
    more_ = std::move(more);
    wants_more_ = true;
    connection_->on_answered(*this);
    return true;
}

void Exchange::write(std::string_view bytes) {
    if (over() || bytes.empty()) return;
    if (http_1_0_) {
        bytes_ += bytes;
    } else {
        write_chunk(bytes_, bytes);
    }
    wants_more_ = true;
    connection_->on_answered(*this);
}

void Exchange::end_stream() {
    if (over()) return;
    if (!http_1_0_ && !head_only_) bytes_ += "0\r\n\r\n";
    finish(status_);
}

void Exchange::abort_stream() {
    if (!over()) connection_->close();
}

void Exchange::at_deadline(MonoTime deadline, std::function<void()> late) {
    deadline_ = deadline;
    late_ = std::move(late);
}

void Exchange::finish(int status) {
    const auto self = shared_from_this();
    done_ = true;
    late_ = nullptr;
    more_ = nullptr;
    Hub& hub = connection_->hub_;
    hub.metrics.request(route_, status, hub.now - begun_);
    connection_->on_answered(*this);
}

}  // namespace penstock::http
