#include "penstock/store/schema_steps.h"

#include <fmt/format.h>

#include <cctype>

namespace penstock {
namespace {

/// The next word of an SQL text, without quotes; empty at its end.
std::string next_word(std::string_view& text) {
    const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    std::string word;
    while (!text.empty() && !blank(text.front()) && text.front() != '(') {
        if (text.front() != '"' && text.front() != '`') word += text.front();
        text.remove_prefix(1);
    }
    return word;
}

bool is_word(std::string word, std::string_view expected) {
    for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return word == expected;
}

}  // namespace

std::string created_table(std::string_view sql) {
    if (!is_word(next_word(sql), "CREATE") || !is_word(next_word(sql), "TABLE")) return {};
    return next_word(sql);
}

Error foreign_table(std::string_view table) {
    return error(Code::constraint,
                 fmt::format("the database has a table {} that Penstock did not make: give it "
                             "another name or use another database",
                             table));
}

SchemaVersions last_versions(std::span<const Migration> migrations) {
    SchemaVersions last;
    for (const Migration& migration : migrations) {
        std::uint32_t& version = last[migration.component];
        PENSTOCK_CHECK(migration.version == version + 1);
        version = migration.version;
    }
    return last;
}

Result<void> check_not_newer(const SchemaVersions& present, const SchemaVersions& known) {
    for (const auto& [component, version] : known) {
        const auto found = present.find(component);
        if (found == present.end() || found->second <= version) continue;
        return error(Code::too_new,
                     fmt::format("the tables of {} are of version {}, this program knows {}: use a "
                                 "newer program",
                                 component, found->second, version));
    }
    return {};
}

}  // namespace penstock
