#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proto/parser.hpp"

namespace timesink::request {

/// What is the same in all executions of a statement.
struct StatementShape {
    std::string text;               ///< normalised; never holds a value
    std::string operation;          ///< its main verb: "SELECT" also of WITH … SELECT; "BEGIN", "COPY", …; empty: none found
    std::uint64_t fingerprint = 0;  ///< fingerprint_of(text)
    proto::Attributes attributes;   ///< of sqlcommenter comments: "sql.comment.traceparent", …; not part of the text
};

/// FNV-1a, 64 bits, over the bytes of the text: stable across runs, versions and machines; 0 is kept for "no statement".
/// Not a keyed or longer hash: it names shapes of one application, of which there are thousands.
std::uint64_t fingerprint_of(std::string_view text);

/// Normalises SQL as PostgreSQL, SQLite and MySQL write it, by a lexer that never fails: text may be cut anywhere (`truncated`
/// puts " …" behind it), or be no SQL at all.
///  - literals (strings of all kinds, numbers, TRUE and FALSE stay words) and parameters ($1, ?, ?1, :name, @name, %s) -> ?
///  - lists of only these: IN (?, ?, ?), VALUES (?, ?), (?, ?), ARRAY[?, ?] -> (?) or [?], the groups behind the first dropped
///  - comments dropped, white space folded, trailing semicolons dropped
///  - keywords upper-case; identifiers untouched, quoted ones with their quotes
/// One pass, no regular expressions.
StatementShape shape_of_sql(std::string_view sql, bool truncated = false);

/// Redis: the operation and the key's shape: parts of the key between : . / - that fold as path segments do, become placeholders,
/// and
/// "{tag}" braces stay. "HGET", "user:17:cart" -> "HGET user:{id}:cart". Without a key, the operation alone; with a script, its
/// first 8 hex digits or its name ("EVALSHA #e0e1f9fa jobs:wait"). Never a value.
StatementShape shape_of_redis(std::string_view operation, std::string_view key, std::string_view script = {});

/// Remembers the shapes of the texts seen last: an application sends few texts often. Bounded: at kMostTexts texts or kMostBytes
/// of text it is emptied, which costs one lexing each and needs no order of use to be kept.
class ShapeCache {
public:
    static constexpr std::size_t kMostTexts = 4096;
    static constexpr std::size_t kMostBytes = std::size_t{4} * 1024 * 1024;
    /// Valid until the next call.
    const StatementShape& sql(std::string_view text, bool truncated = false);

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using Shapes = std::unordered_map<std::string, StatementShape, Hash, std::equal_to<>>;
    Shapes whole_;
    Shapes cut_;
    std::size_t bytes_ = 0;
};

}  // namespace timesink::request
