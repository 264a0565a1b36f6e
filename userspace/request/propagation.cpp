#include "request/propagation.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "request/sql_lexer.hpp"

namespace timesink::request {

namespace {

constexpr std::string_view kCommentTrace = "db.query.comment.traceparent";
constexpr std::string_view kCommentId = "db.query.comment.request-id";
/// A statement with thousands of comments is not made by a driver.
constexpr std::size_t kMostPairs = 32;

struct Key {
    std::string_view name;
    std::string_view attribute;
};
constexpr std::array<Key, 7> kKeys = {{{"traceparent", kCommentTrace},
                                       {"request_id", kCommentId},
                                       {"request-id", kCommentId},
                                       {"x-request-id", kCommentId},
                                       {"x_request_id", kCommentId},
                                       {"correlation_id", kCommentId},
                                       {"x-correlation-id", kCommentId}}};

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

/// What is not a whole %XX stays as it is.
std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

/// One `key='value'` or `key:value`.
void read_pair(std::string_view pair, proto::Attributes& to) {
    const std::size_t sign = pair.find_first_of("=:");
    if (sign == std::string_view::npos) {
        return;
    }
    const std::string_view name = trim(pair.substr(0, sign));
    const auto* const key = std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& each) { return each.name == name; });
    if (key == kKeys.end()) {
        return;
    }
    std::string_view value = trim(pair.substr(sign + 1));
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'') {
        value = value.substr(1, value.size() - 2);
    }
    to.emplace_back(key->attribute, percent_decoded(value.substr(0, kLongestId + 1)));
}

/// The digits of the trace id; empty: there is none. W3C Trace Context, section 3.2: version "-" trace-id "-" parent-id "-"
/// flags, later versions may have more behind that.
std::string trace_of(std::string_view traceparent) {
    constexpr std::size_t kVersion = 2;
    constexpr std::size_t kTrace = 32;
    if (traceparent.size() < kVersion + kTrace + 2 || traceparent[kVersion] != '-' || traceparent[kVersion + kTrace + 1] != '-') {
        return {};
    }
    std::string trace(traceparent.substr(kVersion + 1, kTrace));
    for (char& c : trace) {
        if (hex_digit(c) < 0) {
            return {};
        }
        c = static_cast<char>(c >= 'A' && c <= 'F' ? c | 0x20 : c);
    }
    return trace.find_first_not_of('0') == std::string::npos ? std::string() : trace;
}

}  // namespace

void read_comment_ids(std::string_view sql, proto::Attributes& to) {
    if (sql.find("/*") == std::string_view::npos) {
        return;  // nearly all statements
    }
    SqlLexer lexer(sql);
    std::size_t pairs = 0;
    for (SqlToken token = lexer.next(); token.kind != SqlToken::Kind::end; token = lexer.next()) {
        std::string_view text = token.text;
        if (token.kind != SqlToken::Kind::comment || !text.starts_with("/*") || text.size() < 4 || !text.ends_with("*/")) {
            continue;  // one that is not closed was cut off, and its last value may be too
        }
        text = text.substr(2, text.size() - 4);
        while (!text.empty() && ++pairs <= kMostPairs) {
            const std::size_t comma = std::min(text.find(','), text.size());
            read_pair(text.substr(0, comma), to);
            text.remove_prefix(std::min(comma + 1, text.size()));
        }
    }
}

std::vector<std::string> propagated_ids(const proto::Attributes& attributes) {
    std::vector<std::string> ids;
    for (const auto& [name, value] : attributes) {
        std::string id;
        if (name == "http.request.header.traceparent" || name == kCommentTrace) {
            const std::string trace = trace_of(trim(value));
            id = trace.empty() ? std::string() : "trace:" + trace;
        } else if (name == "http.request.header.x-request-id" || name == "http.request.header.x-correlation-id" ||
                   name == kCommentId) {
            const std::string_view text = trim(value);
            const bool telling = text.size() >= kShortestId && text.size() <= kLongestId;
            id = telling ? "id:" + std::string(text) : std::string();
        }
        if (!id.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) {
            ids.push_back(std::move(id));
        }
    }
    return ids;
}

}  // namespace timesink::request
