#include <algorithm>
#include <array>

#include "redact/masks.hpp"
#include "request/sql_lexer.hpp"

namespace timesink::redact {
namespace {

using request::SqlLexer;
using request::SqlToken;

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlanks);
    return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

/// `key='value'` or `key:value` that hands an id on, as request::read_comment_ids reads it.
bool propagates(std::string_view pair) {
    constexpr std::array<std::string_view, 7> kNames = {"traceparent",  "request_id",     "request-id",      "x-request-id",
                                                        "x_request_id", "correlation_id", "x-correlation-id"};
    constexpr std::size_t kLongest = 160;
    constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:%' \t\r\n=";
    const std::size_t sign = pair.find_first_of("=:");
    return sign != std::string_view::npos && pair.size() <= kLongest &&
           std::find(kNames.begin(), kNames.end(), trim(pair.substr(0, sign))) != kNames.end() &&
           pair.substr(sign).find_first_not_of(kCharacters) == std::string_view::npos;
}

void mask(std::string& out, std::size_t begin, std::size_t end, char with = kMask) {
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(begin), out.begin() + static_cast<std::ptrdiff_t>(end), with);
}

void mask_comment(std::string& out, std::size_t begin, std::size_t size) {
    const std::string_view comment = std::string_view(out).substr(begin, size);
    const std::size_t opening = comment.starts_with('#') ? 1 : 2;
    const bool block = comment.starts_with("/*");
    const std::size_t closing = block && size >= 4 && comment.ends_with("*/") ? 2 : 0;
    std::size_t at = begin + std::min(opening, size);
    const std::size_t end = begin + size - closing;
    while (at < end) {
        const std::size_t comma = std::min(out.find(',', at), end);
        if (closing == 0 || !propagates(std::string_view(out).substr(at, comma - at))) {
            mask(out, at, comma);
        }
        at = comma + 1;
    }
}

/// Whether a backslash ahead of a quote is all that keeps this text from ending there: in standard SQL it does end there, and
/// what follows is told apart wrongly.
bool is_doubtful(std::string_view text) {
    return text.find("\\'") != std::string_view::npos;
}

/// A literal; false: where it ends is not sure.
bool mask_value(std::string& out, std::size_t begin, std::string_view text, bool backslashes) {
    const char first = text.front();
    const std::size_t quote = text.substr(0, 3).find('\'');
    if (first == '$' && text.size() > 1 && (text[1] < '0' || text[1] > '9')) {  // $tag$ … $tag$
        const std::size_t tag = text.find('$', 1) + 1;
        const bool closed = text.size() >= 2 * tag && text.ends_with(text.substr(0, tag));
        mask(out, begin + tag, begin + text.size() - (closed ? tag : 0));
    } else if (quote != std::string_view::npos) {
        const bool escapes = (first | 0x20) == 'e' || backslashes;
        const bool sure = escapes || !is_doubtful(text);
        const bool closed = text.size() >= quote + 2 && text.back() == '\'';
        mask(out, begin + quote + 1, begin + text.size() - (closed ? 1 : 0));
        return sure;
    } else if (first == '.' || (first >= '0' && first <= '9')) {
        mask(out, begin, begin + text.size(), '0');
    }
    return true;  // else a parameter
}

}  // namespace

std::string masked_statement(std::string_view sql, bool double_quotes) {
    std::string out(sql);
    SqlLexer lexer(sql);
    for (SqlToken token = lexer.next(); token.kind != SqlToken::Kind::end; token = lexer.next()) {
        const auto begin = static_cast<std::size_t>(token.text.data() - sql.data());
        if (token.kind == SqlToken::Kind::comment) {
            mask_comment(out, begin, token.text.size());
        } else if (token.kind == SqlToken::Kind::value) {
            if (!mask_value(out, begin, token.text, double_quotes)) {
                mask(out, begin + 1, out.size());
                out.back() = '\'';
                return out;
            }
        } else if (token.kind == SqlToken::Kind::quoted && token.text.front() == '"' && double_quotes) {
            // Lexed without backslashes: where MySQL's text ends may be further on.
            const bool doubtful = token.text.find('\\') != std::string_view::npos;
            const std::size_t end = doubtful ? out.size() : begin + token.text.size();
            mask(out, begin, end);
            out[begin] = out[end - 1] = '\'';
            if (doubtful) {
                return out;
            }
        }
    }
    return out;
}

}  // namespace timesink::redact
