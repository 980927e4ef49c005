#include "penstock/edge/load/load_connection.h"

#include <cerrno>

namespace penstock::load {

bool LoadConnection::send_more() {
    while (sent < request.size()) {
        const ssize_t n = ::send(socket.get(), request.data() + sent, request.size() - sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            sent += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

}  // namespace penstock::load
