#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <sstream>

// toml++'s own switches: errors are values here, as everywhere, and nothing is written.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// What it asserts does not always hold: for "[[=" its parser has an error behind an assertion that there is no such thing (3.3.0;
// mended in tomlplusplus #301). Debug builds would abort there; without them, some compilers would take it for true.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include "base/ascii.hpp"
#include "rules/rules.hpp"

namespace timesink::rules {
namespace {

constexpr std::size_t kMostListed = 64;
constexpr std::size_t kLongestText = 256;
constexpr std::size_t kLongestLine = 40;
constexpr std::string_view kKeys = "bucket, line, protocol, host, port, method, route, type, size, direction";

/// What users wrote goes into one line of an error: cut, and without control characters.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, 60)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    return out + (text.size() > 60 ? "…'" : "'");
}

/// ">= 64 KiB": a comparison, a number, a unit. KB, MB and GB are powers of 1000, KiB, MiB and GiB of 1024.
struct Limit {
    bool least = true;
    std::uint64_t bytes = 0;
};
std::optional<Limit> read_limit(std::string_view text) {
    Limit limit;
    bool strict = true;
    const auto skip_blanks = [&] {
        while (text.starts_with(' ')) {
            text.remove_prefix(1);
        }
    };
    if (!text.starts_with('<') && !text.starts_with('>')) {
        return std::nullopt;
    }
    limit.least = text.front() == '>';
    text.remove_prefix(1);
    if (text.starts_with('=')) {
        strict = false;
        text.remove_prefix(1);
    }
    skip_blanks();
    std::uint64_t number = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 16; ++digits) {
        number = number * 10 + static_cast<std::uint64_t>(text[digits] - '0');
    }
    if (digits == 0) {
        return std::nullopt;
    }
    text.remove_prefix(digits);
    skip_blanks();
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> kUnits = {{{"", 1},
                                                                                   {"B", 1},
                                                                                   {"KB", 1000},
                                                                                   {"MB", 1000000},
                                                                                   {"GB", 1000000000},
                                                                                   {"KiB", 1024},
                                                                                   {"MiB", 1048576},
                                                                                   {"GiB", 1073741824}}};
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& each) { return each.first == text; });
    if (unit == kUnits.end() || number > std::numeric_limits<std::uint64_t>::max() / unit->second / 2) {
        return std::nullopt;
    }
    limit.bytes = number * unit->second;
    if (strict && limit.least) {
        ++limit.bytes;
    } else if (strict) {
        if (limit.bytes == 0) {
            return std::nullopt;  // nothing is smaller than nothing
        }
        --limit.bytes;
    }
    return limit;
}

std::optional<std::pair<std::uint16_t, std::uint16_t>> read_ports(std::string_view text) {
    const auto number = [](std::string_view digits) -> std::uint32_t {
        std::uint32_t value = 0;
        for (const char c : digits) {
            if (c < '0' || c > '9' || digits.size() > 5) {
                return 0;
            }
            value = value * 10 + static_cast<std::uint32_t>(c - '0');
        }
        return value <= 65535 ? value : 0;
    };
    const std::size_t dash = text.find('-');
    const std::uint32_t first = number(text.substr(0, dash));
    const std::uint32_t last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
    if (first == 0 || last < first) {
        return std::nullopt;
    }
    return std::make_pair(static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last));
}

/// Reads one table; the first thing that is wrong stands in `wrong`.
class TableReader {
public:
    TableReader(const toml::table& table, std::string_view file) : table_(table), file_(file) {}

    Result<Rule> read() {
        rule_.source_line = table_.source().begin.line;
        bool has_bucket = false;
        for (auto&& [key, value] : table_) {
            has_bucket = has_bucket || key.str() == "bucket";
            read(key, value);
            if (!wrong_.empty()) {
                return Error{wrong_};
            }
        }
        if (!has_bucket) {
            fail(table_.source(), "this rule has no bucket: db, provider, transfer or internal");
        } else if (rule_.protocols.empty() && rule_.hosts.empty() && rule_.ports.empty() && rule_.operations.empty() &&
                   rule_.routes.empty() && rule_.types.empty() && !has_size_) {
            fail(table_.source(),
                 "this rule would match every call: say which by protocol, host, port, method, route, type or size "
                 "(host = \"*\" means all)");
        } else if (rule_.way != Way::either && rule_.types.empty() && !has_size_) {
            fail(table_.source(), "direction says which body type and size are of: it needs one of them");
        } else if (rule_.most_bytes && *rule_.most_bytes < rule_.least_bytes) {
            fail(table_.source(), "no size can be both");
        }
        return wrong_.empty() ? Result<Rule>(std::move(rule_)) : Error{wrong_};
    }

private:
    void fail(const toml::source_region& where, std::string_view what) {
        if (wrong_.empty()) {
            wrong_ = file_ + ":" + std::to_string(where.begin.line) + ":" + std::to_string(where.begin.column) + ": ";
            wrong_ += what;
        }
    }

    void read(const toml::key& key, const toml::node& value) {
        const std::string_view name = key.str();
        if (name == "bucket") {
            bucket(value);
        } else if (name == "line") {
            line(value);
        } else if (name == "protocol") {
            texts(name, value, [&](const toml::node&, std::string_view text) { rule_.protocols.push_back(lower(text)); });
        } else if (name == "host") {
            texts(name, value, [&](const toml::node& node, std::string_view text) { host(node, text); });
        } else if (name == "port") {
            ports(value);
        } else if (name == "method") {
            texts(name, value, [&](const toml::node&, std::string_view text) { rule_.operations.push_back(lower(text)); });
        } else if (name == "route") {
            texts(name, value, [&](const toml::node& node, std::string_view text) { route(node, text); });
        } else if (name == "type") {
            texts(name, value, [&](const toml::node& node, std::string_view text) { type(node, text); });
        } else if (name == "size") {
            texts(name, value, [&](const toml::node& node, std::string_view text) { size(node, text); });
        } else if (name == "direction") {
            direction(value);
        } else {
            fail(key.source(), "unknown key " + quoted(name) + "; known are " + std::string(kKeys));
        }
    }

    /// A text, or a list of texts.
    template <typename Each>
    void texts(std::string_view name, const toml::node& value, Each each) {
        const auto one = [&](const toml::node& node) {
            const auto* text = node.as_string();
            if (text == nullptr) {
                fail(node.source(), std::string(name) + " is a text, or a list of texts");
            } else if (text->get().empty() || text->get().size() > kLongestText) {
                fail(node.source(), std::string(name) + " has 1 to " + std::to_string(kLongestText) + " characters");
            } else {
                each(node, text->get());
            }
        };
        list(name, value, one);
    }

    template <typename One>
    void list(std::string_view name, const toml::node& value, One one) {
        const toml::array* array = value.as_array();
        if (array == nullptr) {
            one(value);
            return;
        }
        if (array->empty() || array->size() > kMostListed) {
            fail(value.source(), "a list of " + std::string(name) + " has 1 to " + std::to_string(kMostListed) + " members");
        }
        for (const toml::node& node : *array) {
            if (wrong_.empty()) {
                one(node);
            }
        }
    }

    void bucket(const toml::node& value) {
        const auto text = value.value<std::string_view>().value_or("");
        for (const Bucket each : {Bucket::db, Bucket::provider, Bucket::transfer, Bucket::internal}) {
            if (text == rules::name(each)) {
                rule_.bucket = each;
                return;
            }
        }
        fail(value.source(), "bucket is \"db\", \"provider\", \"transfer\" or \"internal\"" +
                                 (text.empty() ? std::string() : ", not " + quoted(text)));
    }

    void line(const toml::node& value) {
        const auto text = value.value<std::string_view>().value_or("");
        const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
        if (!value.is_string() || text.empty() || text.size() > kLongestLine || !plain) {
            fail(value.source(), "line is a text of 1 to " + std::to_string(kLongestLine) + " bytes without control characters");
            return;
        }
        rule_.line = text;
    }

    void host(const toml::node& node, std::string_view text) {
        const std::size_t colon = text.find(':');
        if (text.find('/') != std::string_view::npos) {
            fail(node.source(), "host is a name or an address, not a URL: " + quoted(text));
        } else if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
            fail(node.source(), "host has no port: write port = " + std::string(text.substr(colon + 1, 5)) + " beside it");
        } else {
            rule_.hosts.push_back(lower(text));
        }
    }

    void ports(const toml::node& value) {
        list("port", value, [&](const toml::node& node) {
            const auto number = node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
            const auto text = node.value<std::string_view>();
            const auto range = number && *number > 0 && *number <= 65535 ? read_ports(std::to_string(*number))
                               : text                                    ? read_ports(*text)
                                                                         : std::nullopt;
            if (range) {
                rule_.ports.push_back(*range);
            } else {
                fail(node.source(), "port is a number from 1 to 65535, or a range: \"9000-9010\"");
            }
        });
    }

    void route(const toml::node& node, std::string_view text) {
        if (!text.starts_with('/') && !text.starts_with('*')) {
            fail(node.source(), "route begins with a slash: " + quoted(text));
            return;
        }
        rule_.routes.emplace_back(text);
    }

    void type(const toml::node& node, std::string_view text) {
        if (text != "*" && text.find('/') == std::string_view::npos) {
            fail(node.source(), "type is a content type, such as \"image/*\": " + quoted(text));
            return;
        }
        rule_.types.push_back(lower(text));
    }

    void size(const toml::node& node, std::string_view text) {
        const auto limit = read_limit(text);
        if (!limit) {
            fail(node.source(), "size is a comparison, such as \">= 64 KiB\" or [\"> 1 MB\", \"< 10 MB\"], not " + quoted(text));
            return;
        }
        has_size_ = true;
        if (limit->least) {
            rule_.least_bytes = std::max(rule_.least_bytes, limit->bytes);
        } else {
            rule_.most_bytes = std::min(rule_.most_bytes.value_or(limit->bytes), limit->bytes);
        }
    }

    void direction(const toml::node& value) {
        const auto text = value.value<std::string_view>().value_or("");
        if (text == "in" || text == "out") {
            rule_.way = text == "in" ? Way::in : Way::out;
            return;
        }
        fail(value.source(), R"(direction is "in" (what the service receives) or "out" (what it sends))");
    }

    const toml::table& table_;
    std::string file_;
    Rule rule_;
    bool has_size_ = false;
    std::string wrong_;
};

std::string place(std::string_view file, const toml::source_region& where) {
    return std::string(file) + ":" + std::to_string(where.begin.line) + ":" + std::to_string(where.begin.column) + ": ";
}

/// The text with what is not ASCII in its comments blanked. toml++ (3.3.0) reaches what it calls unreachable on some code points
/// in keys, so elsewhere they are refused: strings take them as escapes.
Result<std::string> in_ascii(std::string_view text, std::string_view file) {
    std::string ascii(text);
    std::size_t line = 1;
    std::size_t begin = 0;
    bool in_comment = false;
    bool quoted_before = false;
    for (std::size_t at = 0; at < ascii.size(); ++at) {
        const char c = ascii[at];
        if (c == '\n') {
            ++line;
            begin = at + 1;
            in_comment = quoted_before = false;
        } else if (c == '"' || c == '\'') {
            quoted_before = true;
        } else if (c == '#' && !quoted_before) {
            in_comment = true;
        } else if (static_cast<unsigned char>(c) >= 0x80 && in_comment) {
            ascii[at] = '?';
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            return Error{std::string(file) + ":" + std::to_string(line) + ":" + std::to_string(at - begin + 1) +
                         ": only ASCII outside of comments; in strings, others are written as \\u00fc"};
        }
    }
    return ascii;
}

}  // namespace

Result<RuleSet> RuleSet::parse(std::string_view text, std::string_view file) {
    if (text.size() > kMostBytes) {
        return Error{std::string(file) + ": longer than " + std::to_string(kMostBytes) + " bytes"};
    }
    const Result<std::string> ascii = in_ascii(text, file);
    if (!ascii) {
        return ascii.error();
    }
    const toml::parse_result parsed = toml::parse(std::string_view(*ascii));
    if (!parsed) {
        std::string what(parsed.error().description());
        std::replace_if(
            what.begin(), what.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
        return Error{place(file, parsed.error().source()) + what};
    }
    RuleSet set;
    set.file_ = file.substr(file.find_last_of('/') + 1);
    for (auto&& [key, value] : parsed.table()) {
        if (key.str() != "rule") {
            return Error{place(file, key.source()) + "unknown key " + quoted(key.str()) + "; a file has [[rule]] tables only"};
        }
        const toml::array* tables = value.as_array();
        if (tables == nullptr || !tables->is_homogeneous<toml::table>()) {
            return Error{place(file, key.source()) + "rules are written as [[rule]], in double brackets"};
        }
        if (tables->size() > kMostRules) {
            return Error{place(file, key.source()) + "more than " + std::to_string(kMostRules) + " rules"};
        }
        for (const toml::node& node : *tables) {
            Result<Rule> rule = TableReader(*node.as_table(), file).read();
            if (!rule) {
                return rule.error();
            }
            set.rules_.push_back(std::move(rule).value());
        }
    }
    if (set.rules_.empty()) {
        return Error{std::string(file) + ":1:1: there is no [[rule]] in it"};
    }
    return set;
}

}  // namespace timesink::rules
