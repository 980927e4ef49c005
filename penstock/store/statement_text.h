#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

/// What an engine's SQL writes in a way of its own. Where a colon begins no parameter hangs on it.
struct SqlSyntax {
    bool backslash_escapes = false;  ///< \ in every quoted text
    bool hash_comments = false;      ///< # to the end of its line
    bool dollar_quotes = false;      ///< $tag$ text $tag$, E'\'', $1 for a parameter
    bool nested_comments = false;    ///< /* /* */ */
    bool question_marks = false;     ///< ? would be a parameter
    bool at_variables = false;       ///< @name would be a session's variable
};

/// One statement that reads or writes rows, with its :name parameters found. Values, no I/O.
/// A *place* is one appearance of a parameter, counted from 0; several places may have one name.
class StatementText {
public:
    /// A piece of the text by its first byte and the one after its last.
    struct Range {
        std::size_t begin = 0, end = 0;
    };
    /// INSERT … VALUES (row) tail, where only the row has parameters.
    struct OneRowInsert {
        Range head;  ///< up to VALUES, without it
        Range row;   ///< inside of the parentheses
        Range tail;  ///< ON CONFLICT …, RETURNING …; may be empty
    };

    /// invalid: more or less than one statement, one that is not SELECT, INSERT, UPDATE, DELETE,
    /// MERGE, REPLACE, VALUES or WITH, a SELECT INTO, an unfinished quote or comment, a parameter
    /// in the engine's own way. What the words mean is left to the engine.
    static Result<StatementText> parse(std::string_view sql, const SqlSyntax& syntax);

    /// Of parameters, in the order of their first appearance: what a row of values is made of.
    const std::vector<std::string>& names() const { return names_; }
    /// For each place: the index of its name.
    std::span<const std::size_t> places() const { return places_; }
    /// The word that says what is done, upper case; after WITH the one of the main statement.
    std::string_view verb() const { return verb_; }
    bool writes() const { return writes_; }  ///< also where only a WITH does

    Range all() const { return {0, text_.size()}; }
    std::string_view text(Range range) const;
    /// The text with each place written as `write(place)` says.
    std::string rewritten(Range range,
                          const std::function<std::string(std::size_t place)>& write) const;
    /// `word` (upper case) stands there, outside of quotes and comments.
    bool has_word(Range range, std::string_view word) const;
    std::optional<OneRowInsert> one_row_insert() const;

private:
    friend class StatementScanner;
    enum class Kind : std::uint8_t { word, parameter, quoted, sign };
    struct Token {
        Kind kind;
        Range at;
        int depth;  ///< of parentheses around it; a parenthesis has that of its outside
    };

    bool is_word(const Token& token, std::string_view word) const;
    bool is_sign(const Token& token, char sign) const;
    Result<void> check();
    std::string_view main_verb() const;
    bool writes_in_text() const;

    std::string text_;
    std::vector<Token> tokens_;
    std::vector<std::string> names_;
    std::vector<std::size_t> places_;
    std::string verb_;
    bool writes_ = false;
};

/// "a, b" becomes ":a, :b".
std::string parameters_of(std::string_view columns);

}  // namespace penstock
