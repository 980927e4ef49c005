#include "penstock/edge/http/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace penstock::http {
namespace {

using Step = RequestParser::Step;

/// What a parser says of some bytes.
struct Outcome {
    std::vector<std::string> requests;  ///< method, target, fields and body of each
    int failure = 0;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string text_of(const Request& request) {
    std::string out = std::string(request.method_text) + ' ' + std::string(request.target);
    for (const Field& field : request.fields) {
        out += '|' + std::string(field.name) + '=' + std::string(field.value);
    }
    return out + '#' + std::string(request.body);
}

/// Feeds `bytes` in pieces of `piece` bytes, as a connection does.
Outcome parse(std::string_view bytes, std::size_t piece) {
    static const HttpLimits limits;
    const auto parser = make_beast_parser(limits);
    Outcome outcome;
    std::string input;
    bool in_body = false;
    while (!bytes.empty()) {
        input += bytes.substr(0, piece);
        bytes.remove_prefix(std::min(piece, bytes.size()));
        while (!input.empty() || in_body) {
            std::size_t used = 0;
            const Step step = parser->feed(input, used);
            if (step == Step::complete) outcome.requests.push_back(text_of(parser->request()));
            input.erase(0, used);
            if (step == Step::need_more) break;
            if (step == Step::failed) {
                outcome.failure = parser->malformed().status;
                return outcome;
            }
            in_body = step == Step::header;
            if (step == Step::complete) parser->reset();
        }
    }
    return outcome;
}

const char* const kTexts[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2?x=y HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPOST /b HTTP/1.1\r\nContent-Length: "
    "0\r\n\r\n",
    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a;x=y\r\n0123456789\r\n"
    "0\r\nTrailer: t\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: t\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
};

TEST(RequestParser, SaysTheSameHoweverTheBytesAreCut) {
    for (const char* text : kTexts) {
        const Outcome whole = parse(text, std::string_view(text).size());
        for (std::size_t piece = 1; piece < std::string_view(text).size(); ++piece) {
            EXPECT_EQ(parse(text, piece), whole) << text << "\nin pieces of " << piece;
        }
    }
}

TEST(RequestParser, ReadsRequestsOneAfterTheOther) {
    EXPECT_EQ(parse(kTexts[0], 1000).requests,
              (std::vector<std::string>{"GET /|Host=a#", "GET /2?x=y|Host=b#"}));
    EXPECT_EQ(
        parse(kTexts[1], 1000).requests,
        (std::vector<std::string>{"POST /a|Content-Length=5#hello", "POST /b|Content-Length=0#"}));
    EXPECT_EQ(parse(kTexts[2], 1000).requests,
              (std::vector<std::string>{"POST /a|Transfer-Encoding=chunked#abc0123456789",
                                        "GET /next#"}));
}

TEST(RequestParser, BoundsChunkHeadersThatNeverEnd) {
    std::string text = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    text += std::string(20'000, 'x');
    EXPECT_EQ(parse(text, 1000).failure, 400);
}

TEST(RequestParser, DropsTrailersInsteadOfTakingThemForFields) {
    static const HttpLimits limits;
    const auto parser = make_beast_parser(limits);
    const std::string text =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nIdempotency-Key: x\r\n\r\n";
    std::size_t used = 0;
    ASSERT_EQ(parser->feed(text, used), Step::header);
    std::size_t rest = 0;
    ASSERT_EQ(parser->feed(std::string_view(text).substr(used), rest), Step::complete);
    EXPECT_FALSE(parser->request().field("Idempotency-Key"));
}

}  // namespace
}  // namespace penstock::http
