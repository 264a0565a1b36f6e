#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

/// The user's own rules: which calls are database, provider, transfer, or of a service of their own (docs/rules.md).
namespace timesink::rules {

enum class Bucket : std::uint8_t { db, provider, transfer, internal };
std::string_view name(Bucket bucket);

/// Which body a rule's type and size are of: what came in is the response's, what went out the request's.
enum class Way : std::uint8_t { either, in, out };

/// A call, as rules see it. Views; not owned.
struct Call {
    std::string_view protocol;  ///< OTel name
    std::string_view host;      ///< without port; of TLS that is not decoded the SNI; empty: not told
    std::string_view address;   ///< of the other end
    std::uint16_t port = 0;
    std::string_view operation;  ///< HTTP method or S3 operation, statement's first word
    std::string_view method;     ///< HTTP method; empty: no HTTP
    std::string_view route;      ///< HTTP: folded path, "/bucket/key" of S3; else empty
    std::string_view type_in;    ///< content types, with or without parameters
    std::string_view type_out;
    std::uint64_t bytes_in = 0;  ///< of the bodies where there are such, else of the messages
    std::uint64_t bytes_out = 0;
};

/// One [[rule]]. Every list that is not empty must have a member that matches; patterns are lower case.
struct Rule {
    Bucket bucket = Bucket::provider;
    std::string line;  ///< the name under which its calls appear; empty: their own
    std::vector<std::string> protocols;
    std::vector<std::string> hosts;                              ///< * is any text; also held against the address
    std::vector<std::pair<std::uint16_t, std::uint16_t>> ports;  ///< first and last
    std::vector<std::string> operations;
    std::vector<std::string> routes;  ///< * is any text without a slash, ** any text
    std::vector<std::string> types;   ///< * is any text
    std::uint64_t least_bytes = 0;
    std::optional<std::uint64_t> most_bytes;
    Way way = Way::either;
    std::size_t source_line = 0;  ///< in the file, from 1

    [[nodiscard]] bool matches(const Call& call) const;
};

/// A file of rules, first match first. Immutable; shared by the analysis and those that say what matched.
class RuleSet {
public:
    /// It is kept in the recording as one fact of less than 64 KiB, as JSON, in which each byte takes two at most.
    static constexpr std::size_t kMostBytes = std::size_t{24} * 1024;
    static constexpr std::size_t kMostRules = 256;

    /// TOML. `file`: its path, for errors; file() is the last part of it. Error: "shop.toml:7:3: unknown key 'bukcet'; …", the
    /// first that is wrong.
    static Result<RuleSet> parse(std::string_view text, std::string_view file);

    /// From 1; 0: no rule matches.
    [[nodiscard]] std::uint32_t match(const Call& call) const;
    [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
    [[nodiscard]] const std::string& file() const { return file_; }

private:
    std::string file_;
    std::vector<Rule> rules_;
};

/// Whether the pattern covers all of the text. * is any text (where `segments`: without a slash), ** any text with slashes; no
/// other character means anything. Not recursive: a hostile pattern takes |pattern| × |text| steps.
bool covers(std::string_view pattern, std::string_view text, bool segments);

}  // namespace timesink::rules
