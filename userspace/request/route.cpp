#include "request/route.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"

namespace timesink::request {
namespace {

// A hostile path is folded, not kept.
constexpr std::size_t kMostSegments = 24;
constexpr std::size_t kLongestSegment = 128;

bool is_hex(char c) {
    return hex_digit(c) >= 0;
}
template <typename Is>
bool all(std::string_view text, Is is) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is);
}
template <typename Is>
std::size_t count(std::string_view text, Is is) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is));
}

std::string_view path_of(std::string_view path) {
    return path.substr(0, path.find_first_of("?#"));
}

/// At most one more than kMostSegments.
class Segments {
public:
    void push_back(std::string_view segment) { segments_[size_++] = segment; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const std::string_view* begin() const { return segments_.data(); }
    [[nodiscard]] const std::string_view* end() const { return segments_.data() + size_; }

private:
    std::array<std::string_view, kMostSegments + 1> segments_;
    std::size_t size_ = 0;
};

/// "/a//b/" -> "a", "", "b", "". A path that does not begin with a slash ("*") is one segment.
Segments split(std::string_view path) {
    Segments segments;
    if (path.starts_with('/')) {
        path.remove_prefix(1);
    }
    while (true) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) {
            return segments;
        }
        path.remove_prefix(slash + 1);
        if (segments.size() == kMostSegments) {
            segments.push_back("**");
            return segments;
        }
    }
}

void append_segment(std::string& path, std::string_view segment) {
    path.append("/").append(segment);
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i])) {
            return false;
        }
    }
    return true;
}

/// 26 characters of Crockford's base 32, of which the first is at most 7 (48 bits of time).
bool is_ulid(std::string_view text) {
    return text.size() == 26 && text[0] >= '0' && text[0] <= '7' && count(text, is_digit) > 0 && all(text, [](char c) {
               return is_digit(c) ||
                      (std::string_view("ILOUilou").find(c) == std::string_view::npos && (is_lower(c) || is_upper(c)));
           });
}

/// 2026-11-21, 20261121 stays a number; with a time behind a T.
bool is_date(std::string_view text) {
    if (text.size() < 7 || text.size() > 35 || !all(text.substr(0, 4), is_digit) || text[4] != '-' ||
        !all(text.substr(5, 2), is_digit)) {
        return false;
    }
    const std::string_view day = text.substr(7);
    return day.empty() ||
           (day.size() >= 3 && day[0] == '-' && all(day.substr(1, 2), is_digit) && (day.size() == 3 || day[3] == 'T'));
}

/// Letters and digits mixed as no word is: base64, nanoid, keys with a prefix ("ord_8fJ2kQ9x").
bool is_token(std::string_view text) {
    const auto token_character = [](char c) {
        return is_digit(c) || is_lower(c) || is_upper(c) || c == '-' || c == '_' || c == '=' || c == '.' || c == '~';
    };
    if (text.size() < 12 || !all(text, token_character)) {
        return false;
    }
    std::size_t changes = 0;
    const auto kind = [](char c) { return is_digit(c) ? 1 : is_upper(c) ? 2 : is_lower(c) ? 3 : 0; };
    for (std::size_t i = 1; i < text.size(); ++i) {
        const bool capital = kind(text[i - 1]) == 2 && kind(text[i]) == 3;  // CamelCase is a word
        changes += kind(text[i - 1]) != 0 && kind(text[i]) != 0 && kind(text[i]) != kind(text[i - 1]) && !capital ? 1 : 0;
    }
    const std::size_t digits = count(text, is_digit);
    return (changes * 6 >= text.size() && ((digits >= 2 && changes >= 3) || (digits >= 1 && changes >= 5))) ||
           (text.size() >= 40 && digits > 0);
}

}  // namespace

std::string_view fold_segment(std::string_view segment) {
    if (segment.size() > kLongestSegment) {
        return "{token}";
    }
    if (segment.starts_with('{') && segment.ends_with('}')) {
        return {};  // a route is its own route
    }
    const std::string_view digits = segment.substr(segment.starts_with('-') || segment.starts_with('+') ? 1 : 0);
    if (all(digits, is_digit)) {
        return "{id}";
    }
    if (is_uuid(segment)) {
        return "{uuid}";
    }
    if (is_date(segment)) {
        return "{date}";
    }
    const std::size_t at = segment.find('@');
    if ((at != std::string_view::npos && at > 0 && segment.find('.', at) != std::string_view::npos) ||
        segment.find("%40") != std::string_view::npos) {
        return "{email}";
    }
    if (segment.find('%') != std::string_view::npos) {
        return "{text}";  // what has to be escaped was typed by somebody
    }
    if (segment.size() >= 8 && all(segment, is_hex) && count(segment, is_digit) > 0) {
        return "{hash}";
    }
    if (is_ulid(segment)) {
        return "{ulid}";
    }
    // "17.json", "17,18,19", "17-42", "v:17": numbers with marks; but "v1" and "2.0" are names of versions.
    const bool marked_numbers =
        all(segment, [](char c) { return is_digit(c) || c == ',' || c == '-' || c == ':' || c == ';' || c == '_'; });
    if (marked_numbers && count(segment, is_digit) > 0) {
        return "{id}";
    }
    const std::size_t dot = segment.rfind('.');
    if (dot != std::string_view::npos && segment.size() - dot <= 5 && !all(segment.substr(dot + 1), is_digit)) {
        const std::string_view stem = segment.substr(0, dot);
        if (!stem.empty() &&
            (all(stem, is_digit) || is_uuid(stem) || (stem.size() >= 8 && all(stem, is_hex) && count(stem, is_digit) > 0))) {
            return "{file}";
        }
    }
    return is_token(segment) ? "{token}" : std::string_view{};
}

std::string fold_path(std::string_view path) {
    std::string folded;
    for (const std::string_view segment : split(path_of(path))) {
        const std::string_view name = segment.empty() ? std::string_view{} : fold_segment(segment);
        append_segment(folded, name.empty() ? segment : name);
    }
    return folded;
}

Status RoutePatterns::add(std::string_view pattern) {
    const auto wrong = [pattern](const std::string& why) {
        return Error{"route pattern '" + std::string(pattern) + "': " + why};
    };
    Pattern parsed{.method = "*", .path = {}, .segments = {}};
    std::string_view path = pattern;
    if (!pattern.starts_with('/')) {
        const std::size_t space = pattern.find(' ');
        if (space == std::string_view::npos) {
            return wrong("expected METHOD /path, or /path for any method");
        }
        parsed.method = pattern.substr(0, space);
        path = pattern.substr(space + 1);
        if (parsed.method != "*" && !all(parsed.method, [](char c) { return is_upper(c) || c == '-'; })) {
            return wrong("'" + parsed.method + "' is not a method; methods are upper-case, * is any");
        }
    }
    if (!path.starts_with('/')) {
        return wrong("the path must begin with /");
    }
    if (path.find_first_of(" ?#") != std::string_view::npos) {
        return wrong("a path has no spaces, query or fragment");
    }
    parsed.path = path;
    for (const std::string_view segment : split(path)) {
        if (parsed.open_end) {
            return wrong("** must be the last segment");
        }
        if (segment == "**") {
            parsed.open_end = true;
            continue;
        }
        const bool brace = segment.find_first_of("{}") != std::string_view::npos;
        const bool whole = segment.size() > 2 && segment.front() == '{' && segment.back() == '}' &&
                           segment.substr(1, segment.size() - 2).find_first_of("{}") == std::string_view::npos;
        if (brace && !whole) {
            return wrong("'" + std::string(segment) + "': a placeholder {name} must be a whole segment");
        }
        parsed.segments.emplace_back(segment);
    }
    patterns_.push_back(std::move(parsed));
    return Done{};
}

std::string_view RoutePatterns::match(std::string_view method, std::string_view path) const {
    if (patterns_.empty()) {
        return {};
    }
    const Segments segments = split(path_of(path));
    for (const Pattern& pattern : patterns_) {
        const bool fits =
            pattern.open_end ? segments.size() >= pattern.segments.size() : segments.size() == pattern.segments.size();
        if ((pattern.method != "*" && pattern.method != method) || !fits) {
            continue;
        }
        const bool same = std::equal(pattern.segments.begin(), pattern.segments.end(), segments.begin(),
                                     [](const std::string& wanted, std::string_view segment) {
                                         return wanted.starts_with('{') ? !segment.empty() : wanted == segment;
                                     });
        if (same) {
            return pattern.path;
        }
    }
    return {};
}

/// A position below a given parent: what was seen there, literal or folded by the rule.
struct RouteTable::Place {
    std::map<std::string, std::unique_ptr<Place>, std::less<>> names;
    std::size_t literals = 0;
    bool folded = false;  ///< more names than a set of routes has: they are data
};

namespace {

constexpr std::string_view kName = "{name}";

bool is_placeholder(std::string_view name) {
    return name.starts_with('{') || name.empty();
}

}  // namespace

RouteTable::RouteTable() : RouteTable(RoutePatterns{}) {}
RouteTable::RouteTable(RoutePatterns patterns) : patterns_(std::move(patterns)), root_(std::make_unique<Place>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

/// Makes all literal names of the place one; what is below them is united, and may be folded in turn.
void RouteTable::fold(Place& place) {
    place.folded = true;
    place.literals = 0;
    auto united = std::make_unique<Place>();
    for (auto child = place.names.begin(); child != place.names.end();) {
        if (is_placeholder(child->first) && child->first != kName) {
            ++child;
            continue;
        }
        unite(*united, std::move(*child->second));
        --places_;
        child = place.names.erase(child);
    }
    ++places_;
    place.names.emplace(kName, std::move(united));
}

void RouteTable::unite(Place& into, Place&& from) {
    for (auto& [name, child] : from.names) {
        const bool literal = !is_placeholder(name);
        const std::string kept = literal && into.folded ? std::string(kName) : name;
        const auto known = into.names.find(kept);
        if (known != into.names.end()) {
            unite(*known->second, std::move(*child));
            --places_;
            continue;
        }
        into.literals += literal && !into.folded ? 1 : 0;
        into.names.emplace(kept, std::move(child));
    }
    if (from.folded || into.literals > kMostNames) {
        fold(into);
    }
}

/// The place of this name below `place`, made when there is none. When no more can be made, the name becomes {name} and the place
/// is the one of that, or null.
RouteTable::Place* RouteTable::enter(Place& place, std::string_view& name) {
    auto next = place.names.find(name);
    if (next != place.names.end()) {
        return next->second.get();
    }
    const bool literal = !is_placeholder(name);
    if (places_ < kMostPlaces) {
        place.literals += literal ? 1 : 0;
        ++places_;
        return place.names.emplace(name, std::make_unique<Place>()).first->second.get();
    }
    name = literal ? kName : name;
    next = place.names.find(name);
    return next != place.names.end() ? next->second.get() : nullptr;
}

std::string RouteTable::route(std::string_view method, std::string_view path) {
    if (const std::string_view pattern = patterns_.match(method, path); !pattern.empty()) {
        return std::string(pattern);
    }
    std::string folded;
    Place* place = root_.get();  // null: beyond what is remembered
    for (const std::string_view segment : split(path_of(path))) {
        const std::string_view by_rule = segment.empty() ? std::string_view{} : fold_segment(segment);
        std::string_view name = by_rule.empty() ? segment : by_rule;
        const bool literal = !is_placeholder(name);
        if (literal && place != nullptr && !place->folded && place->literals >= kMostNames && !place->names.contains(name)) {
            fold(*place);
        }
        if (literal && (place == nullptr || place->folded)) {
            name = kName;
        }
        place = place != nullptr ? enter(*place, name) : nullptr;
        append_segment(folded, name);
    }
    return folded;
}

std::string RouteTable::final_route(std::string_view method, std::string_view path_or_route) const {
    if (const std::string_view pattern = patterns_.match(method, path_or_route); !pattern.empty()) {
        return std::string(pattern);
    }
    std::string folded;
    const Place* place = root_.get();
    for (const std::string_view segment : split(path_of(path_or_route))) {
        const std::string_view by_rule = segment.empty() ? std::string_view{} : fold_segment(segment);
        std::string_view name = by_rule.empty() ? segment : by_rule;
        if (!is_placeholder(name) && (place == nullptr || place->folded || !place->names.contains(name))) {
            name = kName;
        }
        const auto next = place != nullptr ? place->names.find(name) : decltype(place->names.end()){};
        place = place != nullptr && next != place->names.end() ? next->second.get() : nullptr;
        append_segment(folded, name);
    }
    return folded;
}

}  // namespace timesink::request
