#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "test/integration/http_node.h"

namespace penstock::test {
namespace {

/// The ```sh blocks of a page.
std::vector<std::string> shell_blocks(const std::string& path) {
    std::ifstream page(path);
    std::vector<std::string> blocks;
    bool inside = false;
    for (std::string line; std::getline(page, line);) {
        if (line == "```sh") {
            blocks.emplace_back();
            inside = true;
        } else if (line == "```") {
            inside = false;
        } else if (inside) {
            blocks.back() += line + '\n';
        }
    }
    return blocks;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
}

class HttpDocs : public HttpNode {};

TEST_F(HttpDocs, CommandsOfThePageRunAsTheyStand) {
    start_all();
    const auto blocks = shell_blocks(PENSTOCK_SOURCE_DIR "/docs/http-api.md");
    ASSERT_GE(blocks.size(), 8u);
    for (std::string block : blocks) {
        replace_all(block, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(server_->port()));
        const std::string script = directory() + "/block.sh";
        std::ofstream(script) << block;
        FILE* shell = ::popen(("bash -e -o pipefail " + script + " 2>&1").c_str(), "r");
        ASSERT_NE(shell, nullptr);
        std::string output;
        char bytes[4096];
        while (const std::size_t n = std::fread(bytes, 1, sizeof bytes, shell)) {
            output.append(bytes, n);
        }
        EXPECT_EQ(::pclose(shell), 0) << block << "\n" << output;
        EXPECT_EQ(output.find("\"status\":4"), std::string::npos) << block << "\n" << output;
    }
}

}  // namespace
}  // namespace penstock::test
