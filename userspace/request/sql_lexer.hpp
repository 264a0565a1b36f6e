#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace timesink::request {

/// One token of SQL. Its text is a part of the statement's.
struct SqlToken {
    enum class Kind : std::uint8_t {
        end,
        word,    ///< keyword or plain identifier
        quoted,  ///< "identifier", `identifier`, [identifier]
        value,   ///< literal or parameter
        comment,
        symbol,  ///< one operator or bracket
    };
    Kind kind = Kind::end;
    std::string_view text;
    bool space_before = false;
};

/// Cuts SQL into tokens. Every byte belongs to one; what is not closed ends with the text.
class SqlLexer {
public:
    explicit SqlLexer(std::string_view sql) : sql_(sql) {}
    SqlToken next();

private:
    [[nodiscard]] char at(std::size_t offset) const { return at_ + offset < sql_.size() ? sql_[at_ + offset] : '\0'; }
    std::size_t comment_length() const;
    std::size_t quoted_length(std::size_t begin, char quote, bool backslash) const;
    std::size_t dollar_length() const;
    std::size_t number_length() const;
    std::size_t word_length() const;
    std::size_t name_length(std::size_t length) const;
    std::size_t operator_length() const;
    std::size_t string_prefix() const;
    SqlToken make(SqlToken::Kind kind, std::size_t length);

    std::string_view sql_;
    std::size_t at_ = 0;
    bool space_ = false;
    char last_ = '\0';  ///< last character that is not space or comment
};

}  // namespace timesink::request
