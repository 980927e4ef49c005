// A FaultProxy as a program, for tests in Python. Usage: fault_proxy SERVER_PORT
//
// Its first line names its port. Then each line on stdin is a command, answered by the counts of
// then, a JSON object a line; the end of stdin ends it. Patterns are bytes in hex; WAY is up or
// down; STATE is on or off.
//
//   swallow PATTERN COUNT | cut_before PATTERN COUNT | cut_after WAY BYTES | delay WAY MS
//   blackhole WAY STATE | refuse STATE | reset | aim PORT | counts
#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "test/kit/fault_proxy.h"

namespace penstock::test {
namespace {

/// The words of one command, taken one after the other; what is missing or odd is an exception.
class Words {
public:
    explicit Words(const std::string& line) : line_(line) {}

    std::string next() {
        std::string word;
        if (!(line_ >> word)) throw std::invalid_argument("a word is missing");
        return word;
    }
    int number() { return std::stoi(next()); }
    bool on() { return one_of("on", "off"); }
    Way way() { return one_of("up", "down") ? Way::up : Way::down; }
    std::string bytes() {
        const std::string hex = next();
        std::string bytes;
        for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
            bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        }
        return bytes;
    }

private:
    /// True: it is the first.
    bool one_of(std::string_view first, std::string_view second) {
        const std::string word = next();
        if (word != first && word != second) throw std::invalid_argument("not known: " + word);
        return word == first;
    }

    std::istringstream line_;
};

const std::map<std::string, std::function<void(FaultProxy&, Words&)>> kCommands = {
    {"swallow",
     [](FaultProxy& proxy, Words& words) {
         std::string pattern = words.bytes();
         proxy.swallow_reply(std::move(pattern), words.number());
     }},
    {"cut_before",
     [](FaultProxy& proxy, Words& words) {
         std::string pattern = words.bytes();
         proxy.cut_before(std::move(pattern), words.number());
     }},
    {"cut_after",
     [](FaultProxy& proxy, Words& words) {
         const Way way = words.way();
         proxy.cut_after(way, static_cast<std::uint64_t>(words.number()));
     }},
    {"delay",
     [](FaultProxy& proxy, Words& words) {
         const Way way = words.way();
         proxy.delay(way, std::chrono::milliseconds(words.number()));
     }},
    {"blackhole",
     [](FaultProxy& proxy, Words& words) {
         const Way way = words.way();
         proxy.blackhole(way, words.on());
     }},
    {"refuse", [](FaultProxy& proxy, Words& words) { proxy.refuse(words.on()); }},
    {"reset", [](FaultProxy& proxy, Words&) { proxy.reset(); }},
    {"aim", [](FaultProxy& proxy, Words& words) { proxy.aim(words.number()); }},
    {"counts", [](FaultProxy&, Words&) {}},
};

std::string obey(FaultProxy& proxy, const std::string& line) {
    try {
        Words words(line);
        kCommands.at(words.next())(proxy, words);
    } catch (const std::logic_error& wrong) {
        return fmt::format(R"({{"error": "{}: {}"}})", line, wrong.what());
    }
    return fmt::format(
        R"({{"connections": {}, "swallowed": {}, "cuts": {}, "up": {}, "down": {}}})",
        proxy.connections(), proxy.swallowed(), proxy.cuts(), proxy.forwarded(Way::up),
        proxy.forwarded(Way::down));
}

int serve(int server_port) {
    FaultProxy proxy(server_port);
    std::cout << proxy.port() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << obey(proxy, line) << std::endl;
    }
    return 0;
}

}  // namespace
}  // namespace penstock::test

int main(int count, char** words) {
    if (count != 2) {
        std::cerr << "usage: fault_proxy SERVER_PORT\n";
        return 64;
    }
    return penstock::test::serve(std::atoi(words[1]));
}
