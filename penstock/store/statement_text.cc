#include "penstock/store/statement_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace penstock {
namespace {

constexpr std::array<std::string_view, 7> kVerbs = {"SELECT", "INSERT",  "UPDATE", "DELETE",
                                                    "MERGE",  "REPLACE", "VALUES"};
// Words that may stand between INSERT and INTO.
constexpr std::array<std::string_view, 6> kBeforeInto = {"INSERT", "REPLACE",      "MERGE",
                                                         "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = upper(c);
    return result;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool starts_word(char c) {
    return upper(c) != c || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

bool continues_word(char c) {
    return starts_word(c) || is_digit(c) || c == '$';
}

bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

/// Cuts a text into tokens; comments and blanks fall between them.
class StatementScanner {
public:
    StatementScanner(std::string_view sql, const SqlSyntax& syntax, StatementText& into)
        : sql_(sql), syntax_(syntax), into_(into) {}

    Result<void> scan() {
        while (at_ < sql_.size()) PENSTOCK_TRY(step());
        if (depth_ != 0) return refused("a parenthesis is not closed");
        return {};
    }

private:
    using Kind = StatementText::Kind;

    Error refused(std::string_view why) const {
        return error(Code::invalid, fmt::format("refused: {} in '{}'", why, sql_));
    }
    char look(std::size_t ahead = 0) const {
        return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
    }

    Result<void> step() {
        const char c = look();
        if (is_blank(c)) {
            ++at_;
            return {};
        }
        if (c == '\0') return refused("a zero byte");
        if ((c == '-' && look(1) == '-') || (c == '#' && syntax_.hash_comments)) {
            at_ = std::min(sql_.find('\n', at_), sql_.size());
            return {};
        }
        if (c == '/' && look(1) == '*') return skip_comment();
        if (ended_ && c != ';') return refused("more than one statement");
        if (c == '\'' || c == '"' || c == '`') return quoted(c);
        if (c == ':') return colon();
        if (c == '$' && syntax_.dollar_quotes) return dollar();
        if (starts_word(c)) return word();
        return sign(c);
    }

    Result<void> skip_comment() {
        // Engines of one family run what stands in these.
        if (look(2) == '!' || (look(2) == 'M' && look(3) == '!')) {
            return refused("a comment that is run");
        }
        int open = 1;
        at_ += 2;
        while (at_ < sql_.size() && open > 0) {
            if (look() == '*' && look(1) == '/') {
                --open;
                at_ += 2;
            } else if (syntax_.nested_comments && look() == '/' && look(1) == '*') {
                ++open;
                at_ += 2;
            } else {
                ++at_;
            }
        }
        if (open > 0) return refused("a comment that does not end");
        return {};
    }

    /// A doubled quote is two texts side by side: it ends at the same byte.
    Result<void> quoted(char quote) {
        const std::size_t begin = at_;
        const bool escapes =
            quote != '`' &&
            (syntax_.backslash_escapes || (syntax_.dollar_quotes && quote == '\'' && after_e()));
        for (++at_; at_ < sql_.size() && look() != quote; ++at_) {
            if (escapes && look() == '\\') ++at_;
            if (look() == '\0') return refused("a zero byte");
        }
        if (at_ >= sql_.size()) return refused("a quote that does not end");
        ++at_;
        add(Kind::quoted, begin);
        return {};
    }

    bool after_e() const {
        if (into_.tokens_.empty()) return false;
        const auto& last = into_.tokens_.back();
        return last.at.end == at_ && into_.is_word(last, "E");
    }

    Result<void> colon() {
        const std::size_t begin = at_++;
        if (look() == ':') {
            ++at_;
            add(Kind::sign, begin);
            return {};
        }
        if (!starts_word(look())) {
            add(Kind::sign, begin);
            return {};
        }
        while (continues_word(look())) ++at_;
        const std::string name(sql_.substr(begin + 1, at_ - begin - 1));
        auto& names = into_.names_;
        auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end()) found = names.insert(names.end(), name);
        into_.places_.push_back(static_cast<std::size_t>(found - names.begin()));
        add(Kind::parameter, begin);
        return {};
    }

    Result<void> dollar() {
        const std::size_t begin = at_++;
        if (is_digit(look())) return refused("a parameter that is not written :name");
        while (continues_word(look()) && look() != '$') ++at_;
        if (look() != '$') return refused("a $ without its pair");
        const std::string_view tag = sql_.substr(begin, ++at_ - begin);
        const std::size_t end = sql_.find(tag, at_);
        if (end == std::string_view::npos) return refused("a quote that does not end");
        at_ = end + tag.size();
        add(Kind::quoted, begin);
        return {};
    }

    Result<void> word() {
        const std::size_t begin = at_;
        while (continues_word(look())) ++at_;
        add(Kind::word, begin);
        return {};
    }

    Result<void> sign(char c) {
        const std::size_t begin = at_++;
        if (c == ';') {
            ended_ = true;
            return {};
        }
        if (c == '?' && syntax_.question_marks) {
            return refused("a parameter that is not written :name");
        }
        if (c == '@' && syntax_.at_variables) return refused("a session's variable");
        if (is_digit(c)) {
            while (continues_word(look())) ++at_;
        }
        if (c == ')' && --depth_ < 0) return refused("a parenthesis too many");
        add(Kind::sign, begin);
        if (c == '(') ++depth_;
        return {};
    }

    void add(Kind kind, std::size_t begin) {
        into_.tokens_.push_back({kind, {begin, at_}, depth_});
        into_.text_ = sql_.substr(0, at_);
    }

    const std::string_view sql_;
    const SqlSyntax& syntax_;
    StatementText& into_;
    std::size_t at_ = 0;
    int depth_ = 0;
    bool ended_ = false;  // by a semicolon
};

Result<StatementText> StatementText::parse(std::string_view sql, const SqlSyntax& syntax) {
    StatementText parsed;
    PENSTOCK_TRY(StatementScanner(sql, syntax, parsed).scan());
    PENSTOCK_TRY(parsed.check());
    return parsed;
}

std::string_view StatementText::text(Range range) const {
    return std::string_view(text_).substr(range.begin, range.end - range.begin);
}

bool StatementText::is_word(const Token& token, std::string_view word) const {
    if (token.kind != Kind::word || token.at.end - token.at.begin != word.size()) return false;
    const std::string_view own = text(token.at);
    return std::equal(own.begin(), own.end(), word.begin(),
                      [](char a, char b) { return upper(a) == b; });
}

bool StatementText::is_sign(const Token& token, char sign) const {
    return token.kind == Kind::sign && text(token.at) == std::string_view(&sign, 1);
}

Result<void> StatementText::check() {
    verb_ = main_verb();
    if (verb_.empty()) {
        return error(Code::invalid,
                     fmt::format("refused: '{}': statements of a session read and write rows; "
                                 "schema, transaction and session statements are not for it",
                                 text_));
    }
    std::string before;
    for (const Token& token : tokens_) {
        if (is_word(token, "INTO") && !is_one_of(before, kBeforeInto)) {
            return error(Code::invalid, fmt::format("refused: '{}' selects into something else "
                                                    "than the answer",
                                                    text_));
        }
        before = token.kind == Kind::word ? upper(text(token.at)) : std::string();
    }
    writes_ = writes_in_text();
    return {};
}

/// The first word that says what is done; behind WITH the first one outside of its parentheses.
std::string_view StatementText::main_verb() const {
    const auto verb_of = [this](const Token& token) -> std::string_view {
        for (const std::string_view verb : kVerbs) {
            if (is_word(token, verb)) return verb;
        }
        return {};
    };
    if (tokens_.empty()) return {};
    if (!is_word(tokens_.front(), "WITH")) return verb_of(tokens_.front());
    for (const Token& token : tokens_) {
        if (token.depth != 0) continue;
        if (const std::string_view verb = verb_of(token); !verb.empty()) return verb;
    }
    return {};
}

bool StatementText::writes_in_text() const {
    if (verb_ != "SELECT" && verb_ != "VALUES") return true;
    if (!is_word(tokens_.front(), "WITH")) return false;
    // A statement inside begins behind its parenthesis: FOR UPDATE and replace() do not.
    for (std::size_t i = 1; i < tokens_.size(); ++i) {
        if (!is_sign(tokens_[i - 1], '(')) continue;
        for (const std::string_view verb : {"INSERT", "UPDATE", "DELETE", "MERGE"}) {
            if (is_word(tokens_[i], verb)) return true;
        }
    }
    return false;
}

std::string StatementText::rewritten(
    Range range, const std::function<std::string(std::size_t place)>& write) const {
    std::string result;
    std::size_t from = range.begin;
    std::size_t place = 0;
    for (const Token& token : tokens_) {
        if (token.kind != Kind::parameter) continue;
        const std::size_t own = place++;
        if (token.at.begin < range.begin || token.at.end > range.end) continue;
        result += text({from, token.at.begin});
        result += write(own);
        from = token.at.end;
    }
    result += text({from, range.end});
    return result;
}

bool StatementText::has_word(Range range, std::string_view word) const {
    return std::any_of(tokens_.begin(), tokens_.end(), [&](const Token& token) {
        return token.at.begin >= range.begin && token.at.end <= range.end && is_word(token, word);
    });
}

std::optional<StatementText::OneRowInsert> StatementText::one_row_insert() const {
    if (tokens_.empty() || !is_word(tokens_.front(), "INSERT")) return std::nullopt;
    const auto values = std::find_if(tokens_.begin(), tokens_.end(), [this](const Token& token) {
        return token.depth == 0 && is_word(token, "VALUES");
    });
    if (values == tokens_.end() || values + 1 == tokens_.end() || !is_sign(values[1], '(')) {
        return std::nullopt;
    }
    const auto close = std::find_if(values + 2, tokens_.end(), [this](const Token& token) {
        return token.depth == 0 && is_sign(token, ')');
    });
    PENSTOCK_CHECK(close != tokens_.end());
    if (close + 1 != tokens_.end() && is_sign(close[1], ',')) return std::nullopt;
    const OneRowInsert parts{
        {0, values->at.begin}, {values[1].at.end, close->at.begin}, {close->at.end, text_.size()}};
    const bool elsewhere = std::any_of(tokens_.begin(), tokens_.end(), [&](const Token& token) {
        const bool inside = token.at.begin >= parts.row.begin && token.at.end <= parts.row.end;
        return token.kind == Kind::parameter && !inside;
    });
    if (elsewhere) return std::nullopt;
    return parts;
}

std::string parameters_of(std::string_view columns) {
    std::string all;
    while (!columns.empty()) {
        const auto comma = std::min(columns.find(','), columns.size());
        std::string_view name = columns.substr(0, comma);
        columns.remove_prefix(std::min(comma + 1, columns.size()));
        while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
        while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
        all += all.empty() ? ":" : ", :";
        all += name;
    }
    return all;
}

}  // namespace penstock
