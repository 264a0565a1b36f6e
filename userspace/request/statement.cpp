#include "request/statement.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "base/ascii.hpp"
#include "request/route.hpp"
#include "request/sql_lexer.hpp"

namespace timesink::request {
namespace {

using Kind = SqlToken::Kind;

// Sorted. Words that are keywords where they are not quoted, in all three dialects or harmless in the others. Words that are
// often columns (NAME, TYPE, STATUS, DATE, KEY, VALUE, USER) are left out: an identifier must stay as it was written.
constexpr std::string_view kKeywords[] = {
    "ABORT",     "ALL",      "ALTER",      "ANALYZE",      "AND",     "ANY",     "ARRAY",       "AS",      "ASC",
    "BEGIN",     "BETWEEN",  "BY",         "CALL",         "CASCADE", "CASE",    "CAST",        "CLOSE",   "COLLATE",
    "COMMIT",    "CONFLICT", "CONSTRAINT", "COPY",         "CREATE",  "CROSS",   "DEALLOCATE",  "DECLARE", "DEFAULT",
    "DELETE",    "DESC",     "DISCARD",    "DISTINCT",     "DO",      "DROP",    "ELSE",        "END",     "ESCAPE",
    "EXCEPT",    "EXECUTE",  "EXISTS",     "EXPLAIN",      "FALSE",   "FETCH",   "FOR",         "FROM",    "FULL",
    "GRANT",     "GROUP",    "HAVING",     "ILIKE",        "IN",      "INDEX",   "INNER",       "INSERT",  "INTERSECT",
    "INTERVAL",  "INTO",     "IS",         "ISNULL",       "JOIN",    "LATERAL", "LEFT",        "LIKE",    "LIMIT",
    "LISTEN",    "LOCK",     "LOCKED",     "MATERIALIZED", "MERGE",   "NATURAL", "NOT",         "NOTHING", "NOTIFY",
    "NOTNULL",   "NULL",     "NULLS",      "OFFSET",       "ON",      "OR",      "ORDER",       "OUTER",   "OVER",
    "PARTITION", "PRAGMA",   "PREPARE",    "RECURSIVE",    "REFRESH", "RELEASE", "REPLACE",     "RESET",   "RETURNING",
    "REVOKE",    "RIGHT",    "ROLLBACK",   "SAVEPOINT",    "SELECT",  "SET",     "SHOW",        "SKIP",    "SOME",
    "START",     "STDIN",    "STDOUT",     "TABLE",        "THEN",    "TO",      "TRANSACTION", "TRUE",    "TRUNCATE",
    "UNION",     "UNIQUE",   "UNLISTEN",   "UPDATE",       "USING",   "VACUUM",  "VALUES",      "VIEW",    "WHEN",
    "WHERE",     "WINDOW",   "WITH",
};

bool is_keyword(const std::string& word) {
    static const std::vector<std::string_view> sorted = [] {
        std::vector<std::string_view> words(std::begin(kKeywords), std::end(kKeywords));
        std::sort(words.begin(), words.end());
        return words;
    }();
    return std::binary_search(sorted.begin(), sorted.end(), std::string_view(word));
}

/// key='value' pairs, percent-encoded (sqlcommenter's format), of which the ones that carry identity are kept.
void read_comment(std::string_view comment, proto::Attributes& attributes) {
    constexpr std::string_view kPrefix = "sql.comment.";
    constexpr std::array<std::string_view, 7> kKept = {
        "sql.comment.traceparent", "sql.comment.tracestate", "sql.comment.route",      "sql.comment.controller",
        "sql.comment.action",      "sql.comment.framework",  "sql.comment.request_id",
    };
    for (const std::string_view kept : kKept) {
        const std::string_view name = kept.substr(kPrefix.size());
        const std::size_t found = comment.find(std::string(name) + "='");
        if (found == std::string_view::npos || attributes.size() >= kKept.size()) {
            continue;
        }
        const char before = found == 0 ? ' ' : comment[found - 1];
        const std::string_view value = comment.substr(found + name.size() + 2);
        const std::size_t end = value.find('\'');
        if ((before == ' ' || before == ',' || before == '*') && end != std::string_view::npos && end <= 256) {
            attributes.emplace_back(kept, value.substr(0, end));
        }
    }
}

/// Writes tokens one after the other, and folds lists of values as they close.
class ShapeWriter {
public:
    void add(const SqlToken& token) {
        const std::string_view text = token.text;
        if (token.kind == Kind::word) {
            std::string word = upper(text);
            if (is_keyword(word)) {
                note_verb(word);
                write(word, true);
            } else {
                note_verb(word);
                write(text, true);
            }
        } else if (token.kind == Kind::value) {
            value();
        } else if (token.kind == Kind::quoted) {
            write(text, true);
        } else if (text == "(" || text == "[") {
            open(text);
        } else if ((text == ")" || text == "]") && !open_.empty()) {
            close(text);
        } else {
            symbol(text);
        }
    }

    std::string take() {
        while (!out_.empty() && (out_.back() == ' ' || out_.back() == ';')) {
            out_.pop_back();
        }
        return std::move(out_);
    }
    /// The verb outside of brackets that says what the statement does; behind WITH, the one of its main query.
    [[nodiscard]] const std::string& operation() const { return verb_; }

private:
    struct Open {
        std::size_t at;    ///< of the bracket in out_
        bool only_values;  ///< so far, values and commas (and folded lists)
        bool negative = false;
    };

    void note_verb(const std::string& word) {
        if (verb_.empty()) {
            verb_ = word;
            return;
        }
        constexpr std::string_view kMain[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "TABLE"};
        const bool main = std::find(std::begin(kMain), std::end(kMain), word) != std::end(kMain);
        if (verb_ == "WITH" && open_.empty() && main) {
            verb_ = word;
        }
    }

    void mark_mixed() {
        if (!open_.empty()) {
            open_.back().only_values = false;
        }
    }

    void space(std::string_view before) {
        if (out_.empty() || out_.back() == ' ' || out_.back() == '(' || out_.back() == '[' || out_.back() == '.' ||
            out_.ends_with("::")) {
            return;
        }
        if (before != "," && before != ")" && before != "]" && before != ";" && before != "." && before != "::") {
            out_.push_back(' ');
        }
    }

    void write(std::string_view text, bool mixes) {
        if (mixes) {
            mark_mixed();
        }
        space(text);
        out_.append(text);
        last_word_ = mixes;
    }

    void value() {
        // A sign before a value, and not between two, belongs to it: -5 and 5 are the same shape.
        if (sign_) {
            out_.resize(sign_at_);
            sign_ = false;
            if (!open_.empty()) {
                open_.back().only_values = sign_was_only_values_;
            }
        }
        if (!open_.empty() && open_.back().only_values && out_.ends_with("?, ")) {
            out_.resize(out_.size() - 2);  // one of a list is enough
            return;
        }
        if (!open_.empty() && open_.back().only_values && out_.ends_with("?,")) {
            out_.pop_back();
            return;
        }
        space("?");
        out_.push_back('?');
        last_word_ = false;
    }

    void symbol(std::string_view text) {
        sign_ = false;
        if (text == ",") {
            if (!open_.empty() && !(out_.ends_with('?') || out_.ends_with("?)"))) {
                open_.back().only_values = false;
            }
            out_.push_back(',');
            last_word_ = false;
            return;
        }
        if ((text == "-" || text == "+") && begins_value()) {
            sign_ = true;
            sign_at_ = out_.size();
            sign_was_only_values_ = open_.empty() || open_.back().only_values;
        }
        write(text, true);
        last_word_ = false;
    }

    [[nodiscard]] bool begins_value() const {
        const std::size_t last = out_.find_last_not_of(' ');
        if (last == std::string::npos) {
            return true;
        }
        const char c = out_[last];
        if (c == '(' || c == ',' || c == '=' || c == '<' || c == '>' || c == '[') {
            return true;
        }
        constexpr std::string_view kBefore[] = {"AND",  "OR",     "BETWEEN", "LIMIT", "OFFSET",   "THEN",
                                                "ELSE", "VALUES", "SELECT",  "WHEN",  "RETURNING"};
        return std::any_of(std::begin(kBefore), std::end(kBefore), [this, last](std::string_view word) {
            return std::string_view(out_).substr(0, last + 1).ends_with(word);
        });
    }

    void open(std::string_view bracket) {
        sign_ = false;
        // Behind a name it is a call or a column list: no space, as most write it; behind a keyword there is one.
        const std::size_t word = out_.find_last_of(" (,[") + 1;
        const bool keyword = last_word_ && is_keyword(out_.substr(word));
        if (!last_word_ || keyword) {
            if (!(bracket == "[" && keyword)) {
                space(bracket);
            }
        }
        open_.push_back({out_.size(), true});
        out_.append(bracket);
        last_word_ = false;
    }

    void close(std::string_view bracket) {
        const Open opened = open_.back();
        open_.pop_back();
        sign_ = false;
        out_.append(bracket);
        const bool list = opened.only_values && out_.size() == opened.at + 3 && out_[opened.at + 1] == '?';
        if (!list) {
            mark_mixed();
        }
        // VALUES (?), (?): the further groups say nothing.
        const std::string_view group = "(?)";
        if (list && out_.substr(0, opened.at).ends_with("(?), ")) {
            out_.resize(opened.at - 2);
        } else if (list && opened.at >= group.size() + 1 && std::string_view(out_).substr(0, opened.at).ends_with("(?),")) {
            out_.resize(opened.at - 1);
        }
        last_word_ = false;
    }

    std::string out_;
    std::vector<Open> open_;
    std::string verb_;
    bool last_word_ = false;
    bool sign_ = false;
    bool sign_was_only_values_ = true;
    std::size_t sign_at_ = 0;
};

}  // namespace

std::uint64_t fingerprint_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : text) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
    return hash == 0 ? 1 : hash;
}

StatementShape shape_of_sql(std::string_view sql, bool truncated) {
    // Deeper than people or mappers write, and each level costs memory: the rest is cut off.
    constexpr std::size_t kLongestShape = std::size_t{16} * 1024;
    StatementShape shape;
    ShapeWriter writer;
    SqlLexer lexer(sql.substr(0, kLongestShape));
    truncated = truncated || sql.size() > kLongestShape;
    for (SqlToken token = lexer.next(); token.kind != Kind::end; token = lexer.next()) {
        if (token.kind == Kind::comment) {
            read_comment(token.text, shape.attributes);
        } else {
            writer.add(token);
        }
    }
    shape.operation = writer.operation();
    shape.text = writer.take();
    if (truncated && !shape.text.empty()) {
        shape.text += " …";
    }
    shape.fingerprint = shape.text.empty() ? 0 : fingerprint_of(shape.text);
    return shape;
}

StatementShape shape_of_redis(std::string_view operation, std::string_view key, std::string_view script) {
    StatementShape shape{.text = std::string(operation), .operation = std::string(operation), .attributes = {}};
    if (!script.empty()) {
        const bool hash = script.size() == 40 && script.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
        shape.text.append(" #").append(script.substr(0, hash ? 8 : 64));
    }
    if (!key.empty()) {
        shape.text.push_back(' ');
        constexpr std::size_t kMostParts = 12;
        std::size_t parts = 0;
        while (true) {
            const std::size_t end = std::min(key.find_first_of(":./|"), key.size());
            std::string_view part = key.substr(0, end);
            const bool tagged = part.size() > 2 && part.front() == '{' && part.back() == '}';  // a cluster's hash tag
            const std::string_view inner = tagged ? part.substr(1, part.size() - 2) : part;
            const std::string_view folded = inner.empty() ? std::string_view{} : fold_segment(inner);
            const bool binary =
                std::any_of(inner.begin(), inner.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
            shape.text.append(binary ? "{text}" : folded.empty() ? part : folded);
            if (end == key.size()) {
                break;
            }
            if (++parts == kMostParts) {
                shape.text.append("…");
                break;
            }
            shape.text.push_back(key[end]);
            key.remove_prefix(end + 1);
        }
    }
    shape.fingerprint = fingerprint_of(shape.text);
    return shape;
}

const StatementShape& ShapeCache::sql(std::string_view text, bool truncated) {
    auto& shapes = truncated ? cut_ : whole_;
    if (const auto known = shapes.find(text); known != shapes.end()) {
        return known->second;
    }
    if (whole_.size() + cut_.size() >= kMostTexts || bytes_ + text.size() > kMostBytes) {
        whole_.clear();
        cut_.clear();
        bytes_ = 0;
    }
    bytes_ += text.size();
    return shapes.emplace(std::string(text), shape_of_sql(text, truncated)).first->second;
}

}  // namespace timesink::request
