#include "request/sql_lexer.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace timesink::request {
namespace {

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_word_begin(char c) {
    return is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) {
    return is_word_begin(c) || is_digit(c) || c == '$';
}

}  // namespace

SqlToken SqlLexer::make(SqlToken::Kind kind, std::size_t length) {
    length = std::clamp<std::size_t>(length, 1, sql_.size() - at_);
    const SqlToken token{kind, sql_.substr(at_, length), space_};
    at_ += length;
    space_ = false;
    if (kind != SqlToken::Kind::comment) {
        last_ = token.text.back();
    }
    return token;
}

SqlToken SqlLexer::next() {
    while (at_ < sql_.size() && is_space(sql_[at_])) {
        ++at_;
        space_ = true;
    }
    if (at_ >= sql_.size()) {
        return {};
    }
    using Kind = SqlToken::Kind;
    const char c = sql_[at_];
    if (const std::size_t length = comment_length(); length > 0) {
        return make(Kind::comment, length);
    }
    if (c == '\'') {
        return make(Kind::value, quoted_length(0, '\'', true));
    }
    if (const std::size_t prefix = string_prefix(); prefix > 0) {
        return make(Kind::value, quoted_length(prefix, '\'', true));
    }
    if (c == '"' || c == '`') {
        return make(Kind::quoted, quoted_length(0, c, false));
    }
    if (c == '$' && !is_digit(at(1))) {
        if (const std::size_t length = dollar_length(); length > 0) {
            return make(Kind::value, length);
        }
    }
    const bool dotted = c == '.' && is_digit(at(1)) && !is_word(last_) && last_ != '"' && last_ != '`';
    if (is_digit(c) || dotted || (c == '$' && is_digit(at(1)))) {
        return make(Kind::value, number_length());
    }
    if (c == '?') {
        // PostgreSQL has operators with question marks too (?|, ?&); a parameter stands where a value does, and both fold alike.
        std::size_t length = 1;
        while (is_digit(at(length))) {
            ++length;
        }
        return make(Kind::value, length);
    }
    if (c == '@' && at(1) == '@' && is_word_begin(at(2))) {
        return make(Kind::word, name_length(3));  // MySQL: a variable of the system, which is a name
    }
    const bool named = (c == ':' && last_ != ':' && at(1) != ':' && at(1) != '=') || c == '@';
    if (named && is_word_begin(at(1))) {
        return make(Kind::value, name_length(1));
    }
    if (c == '%' && at(1) == 's' && !is_word(at(2))) {
        return make(Kind::value, 2);  // a text that a Python driver logs or forwards unexpanded
    }
    if (is_word_begin(c)) {
        return make(Kind::word, word_length());
    }
    if (c == ':' && at(1) == ':') {
        return make(Kind::symbol, 2);
    }
    return make(Kind::symbol, operator_length());
}

/// Of what is a name from `length` on.
std::size_t SqlLexer::name_length(std::size_t length) const {
    while (is_word(at(length)) && at(length) != '\0') {
        ++length;
    }
    return length;
}

/// The longest run of operator characters, by PostgreSQL's rule: it holds no comment's begin, and ends in + or - only with a
/// character that no SQL standard operator has ("=-1" is = and -1, "@-1" is not).
std::size_t SqlLexer::operator_length() const {
    constexpr std::string_view kCharacters = "+-*/<>=~!@#%^&|";
    std::size_t length = 0;
    bool special = false;
    while (at(length) != '\0' && kCharacters.find(at(length)) != std::string_view::npos) {
        const bool comment = (at(length) == '-' && at(length + 1) == '-') || (at(length) == '/' && at(length + 1) == '*');
        const bool parameter = length > 0 && at(length) == '@' && is_word_begin(at(length + 1));
        if (comment || parameter) {
            break;
        }
        special = special || std::string_view("~!@#%^&|").find(at(length)) != std::string_view::npos;
        ++length;
    }
    while (length > 1 && !special && (at(length - 1) == '-' || at(length - 1) == '+')) {
        --length;
    }
    return std::max<std::size_t>(length, 1);
}

std::size_t SqlLexer::comment_length() const {
    if (at(0) == '-' && at(1) == '-') {
        return std::min(sql_.find('\n', at_), sql_.size()) - at_;
    }
    // MySQL: "#" begins a comment, and PostgreSQL has it as an operator ("#>", "#-", a # b): only at the begin of a line is it
    // one.
    const bool line_begin = at_ == 0 || sql_[at_ - 1] == '\n';
    if (at(0) == '#' && line_begin && at(1) != '>' && at(1) != '-') {
        return std::min(sql_.find('\n', at_), sql_.size()) - at_;
    }
    if (at(0) != '/' || at(1) != '*') {
        return 0;
    }
    std::size_t depth = 1;
    std::size_t end = at_ + 2;
    while (end < sql_.size() && depth > 0) {
        if (sql_.compare(end, 2, "*/") == 0) {
            --depth;
            end += 2;
        } else if (sql_.compare(end, 2, "/*") == 0) {
            ++depth;
            end += 2;
        } else {
            ++end;
        }
    }
    return std::min(end, sql_.size()) - at_;
}

/// From `begin` (relative), where the opening quote is. A doubled quote is one of the text.
std::size_t SqlLexer::quoted_length(std::size_t begin, char quote, bool backslash) const {
    // Whether a backslash escapes depends on the server's settings. Taking it so never ends a string too early and lets values
    // through.
    std::size_t end = at_ + begin + 1;
    while (end < sql_.size()) {
        if (backslash && sql_[end] == '\\' && end + 1 < sql_.size()) {
            // 'C:\' is closed in standard SQL: so it is when no quote follows anywhere.
            const bool last_quote = sql_[end + 1] == quote && sql_.find(quote, end + 2) == std::string_view::npos;
            end += last_quote ? 1 : 2;
        } else if (sql_[end] == quote && end + 1 < sql_.size() && sql_[end + 1] == quote) {
            end += 2;
        } else if (sql_[end] == quote) {
            return end + 1 - at_;
        } else {
            ++end;
        }
    }
    return sql_.size() - at_;
}

/// $tag$ … $tag$ (PostgreSQL). 0: it is none.
std::size_t SqlLexer::dollar_length() const {
    std::size_t tag_end = at_ + 1;
    while (tag_end < sql_.size() && sql_[tag_end] != '$' && is_word(sql_[tag_end])) {
        ++tag_end;
    }
    if (tag_end >= sql_.size() || sql_[tag_end] != '$') {
        return 0;
    }
    const std::string_view tag = sql_.substr(at_, tag_end + 1 - at_);
    const std::size_t close = sql_.find(tag, tag_end + 1);
    return (close == std::string_view::npos ? sql_.size() : close + tag.size()) - at_;
}

std::size_t SqlLexer::number_length() const {
    std::size_t length = 1;
    while (at(length) != '\0') {
        const char c = at(length);
        const bool sign = (c == '+' || c == '-') && (at(length - 1) == 'e' || at(length - 1) == 'E') &&
                          is_digit(at(length + 1)) && at(1) != 'x';
        if (!is_word(c) && c != '.' && !sign) {
            break;
        }
        ++length;
    }
    return length;
}

std::size_t SqlLexer::word_length() const {
    std::size_t length = 1;
    while (at(length) != '\0' && is_word(at(length))) {
        ++length;
    }
    return length;
}

/// E'…', B'…', X'…', N'…', U&'…': letters that belong to the string behind them. 0: none.
std::size_t SqlLexer::string_prefix() const {
    const char c = static_cast<char>(at(0) | 0x20);
    if ((c == 'e' || c == 'b' || c == 'x' || c == 'n') && at(1) == '\'') {
        return 1;
    }
    return c == 'u' && at(1) == '&' && at(2) == '\'' ? 2 : 0;
}

}  // namespace timesink::request
