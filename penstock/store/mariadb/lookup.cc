#include "penstock/store/mariadb/lookup.h"

#include <fmt/format.h>

namespace penstock::mariadb {
namespace {

bool in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// Words and single signs of a text without quotes and comments.
std::vector<std::string_view> tokens_of(std::string_view text) {
    std::vector<std::string_view> tokens;
    for (std::size_t at = 0; at < text.size();) {
        if (is_blank(text[at])) {
            ++at;
            continue;
        }
        std::size_t end = at + 1;
        while (in_word(text[at]) && end < text.size() && in_word(text[end])) ++end;
        tokens.push_back(text.substr(at, end - at));
        at = end;
    }
    return tokens;
}

/// Reads the one form, from left to right.
class Reader {
public:
    explicit Reader(std::string_view text) : tokens_(tokens_of(text)) {}

    std::optional<Lookup> read() {
        Lookup lookup;
        if (!take("SELECT") || !columns(lookup) || !take("FROM")) return std::nullopt;
        const std::string_view table = next();
        if (!is_name(table) || !take("WHERE")) return std::nullopt;
        lookup.from = fmt::format("FROM {} WHERE ", table);
        do {
            if (!condition(lookup)) return std::nullopt;
        } while (take("AND"));
        if (take("FOR")) {
            if (!take("UPDATE")) return std::nullopt;
            lookup.tail = " FOR UPDATE";
        }
        if (at_ != tokens_.size() || lookup.keys.empty()) return std::nullopt;
        return lookup;
    }

private:
    static bool is_name(std::string_view token) {
        return !token.empty() && in_word(token.front()) && !is_digit(token.front());
    }
    std::string_view next() { return at_ < tokens_.size() ? tokens_[at_++] : std::string_view(); }
    bool take(std::string_view word) {
        if (at_ == tokens_.size() || tokens_[at_].size() != word.size()) return false;
        for (std::size_t i = 0; i < word.size(); ++i) {
            const char c = tokens_[at_][i];
            if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != word[i]) {
                return false;
            }
        }
        ++at_;
        return true;
    }

    bool columns(Lookup& lookup) {
        lookup.columns = "SELECT ";
        for (bool first = true; first || take(","); first = false) {
            const std::string_view column = next();
            if (!is_name(column)) return false;
            if (!first) lookup.columns += ", ";
            lookup.columns += column;
        }
        return true;
    }

    bool condition(Lookup& lookup) {
        const std::string_view column = next();
        if (!is_name(column) || !take("=")) return false;
        const std::string_view value = next();
        if (value == "?") {
            lookup.keys.emplace_back(column);
            return true;
        }
        if (value.empty() || !is_digit(value.front())) return false;
        lookup.from += fmt::format("{} = {} AND ", column, value);
        return true;
    }

    const std::vector<std::string_view> tokens_;
    std::size_t at_ = 0;
};

}  // namespace

std::string Lookup::sql(std::size_t rows) const {
    const bool one = keys.size() == 1;
    std::string names, row;
    for (const std::string& key : keys) {
        names += (names.empty() ? "" : ", ") + key;
        row += row.empty() ? "?" : ", ?";
    }
    if (!one) row = "(" + row + ")";
    std::string all = row;
    for (std::size_t i = 1; i < rows; ++i) all += ", " + row;
    return fmt::format("{}, {} {}{}{}{} IN ({}){}", columns, names, from, one ? "" : "(", names,
                       one ? "" : ")", all, tail);
}

std::optional<Lookup> lookup_of(const StatementText& text) {
    if (text.verb() != "SELECT" || text.places().size() != text.names().size()) {
        return std::nullopt;
    }
    const std::string marked = text.rewritten(text.all(), [](std::size_t) { return "?"; });
    for (const std::string_view other : {"'", "\"", "`", "--", "#", "/*"}) {
        if (marked.find(other) != marked.npos) return std::nullopt;
    }
    return Reader(marked).read();
}

}  // namespace penstock::mariadb
