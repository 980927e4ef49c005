#include "test/integration/http_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

namespace penstock::test {
namespace {

constexpr int kPatienceMs = 30'000;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text;
}

}  // namespace

std::string HttpAnswer::text(const std::string& name) const {
    const auto at = fields.find(name);
    return at == fields.end() ? "" : at->second;
}

HttpClient::HttpClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(std::exchange(fd_, -1));
    }
}

HttpClient::HttpClient(const std::string& unix_path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        ::close(std::exchange(fd_, -1));
    }
}

HttpClient::~HttpClient() {
    if (fd_ >= 0) ::close(fd_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), input_(std::move(other.input_)) {}

bool HttpClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

void HttpClient::end_sending() {
    ::shutdown(fd_, SHUT_WR);
}

void HttpClient::read_slowly() {
    const int bytes = 4096;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool HttpClient::read_more() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) return false;
    char bytes[16 * 1024];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    input_.append(bytes, static_cast<std::size_t>(n));
    return true;
}

bool HttpClient::ended() {
    if (!input_.empty()) return false;
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) return false;
    char byte;
    return ::recv(fd_, &byte, 1, 0) <= 0;
}

std::string HttpClient::receive_until(std::string_view until) {
    while (input_.find(until) == std::string::npos) {
        if (!read_more()) break;
    }
    return std::exchange(input_, {});
}

HttpAnswer HttpClient::receive(bool head_only) {
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more()) return {};
    }
    HttpAnswer answer;
    std::string_view head = std::string_view(input_).substr(0, end + 2);
    answer.status = std::atoi(input_.c_str() + 9);
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        const std::size_t colon = line.find(": ");
        answer.fields[lower(std::string(line.substr(0, colon)))] = line.substr(colon + 2);
        head.remove_prefix(line.size() + 2);
    }
    input_.erase(0, end + 4);
    if (head_only || answer.status == 204 || answer.status == 100) return answer;
    if (answer.text("transfer-encoding") == "chunked") {
        while (true) {
            std::size_t eol;
            while ((eol = input_.find("\r\n")) == std::string::npos) {
                if (!read_more()) return {};
            }
            const std::size_t size = std::stoul(input_.substr(0, eol), nullptr, 16);
            while (input_.size() < eol + 4 + size) {
                if (!read_more()) return {};
            }
            answer.body += input_.substr(eol + 2, size);
            input_.erase(0, eol + 4 + size);
            if (size == 0) return answer;
        }
    }
    if (!answer.fields.count("content-length")) {
        while (read_more()) {
        }
        answer.body = std::exchange(input_, {});
        return answer;
    }
    const std::size_t length = std::stoul(answer.text("content-length"));
    while (input_.size() < length) {
        if (!read_more()) return {};
    }
    answer.body = input_.substr(0, length);
    input_.erase(0, length);
    return answer;
}

std::string http_request(std::string_view method_and_path, std::string_view body,
                         std::string_view fields) {
    std::string out(method_and_path);
    out += " HTTP/1.1\r\nHost: localhost\r\n";
    out += fields;
    if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    out += "\r\n";
    out += body;
    return out;
}

}  // namespace penstock::test
