#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace timesink::request {

/// Folds a path into a route: segments that look like an id become a name in braces. docs/routes.md has the rule. Pure: one path,
/// one answer. The query and fragment are dropped; an empty path is "/". "/episode/17/state" -> "/episode/{id}/state".
std::string fold_path(std::string_view path);

/// What a segment is folded to ("{id}", "{uuid}", …); empty: it stays. Not for the empty segment.
std::string_view fold_segment(std::string_view segment);

/// The user's own patterns, ahead of the rule: "GET /orders/{id}", "* /static/**", "/health". {name} is one segment, a last **
/// the rest; everything else is literal. The first that matches wins, and is itself the route.
class RoutePatterns {
public:
    /// Error: says which part of the pattern is wrong, and what is expected.
    Status add(std::string_view pattern);
    /// The path of the pattern that matches; empty: none does.
    [[nodiscard]] std::string_view match(std::string_view method, std::string_view path) const;
    [[nodiscard]] bool empty() const { return patterns_.empty(); }

private:
    struct Pattern {
        std::string method;  ///< "*": any
        std::string path;
        std::vector<std::string> segments;
        bool open_end = false;  ///< ended by **
    };
    std::vector<Pattern> patterns_;
};

/// Patterns, rule, and what only many paths together tell: a place with more than kMostNames different segments under the same
/// parent holds names ("/characters/alice"), and becomes {name}. Owned by the analysis, fed with every unit's path in order of
/// the units, so that live and recorded runs agree.
///
/// Ids given earlier stay valid: route() gives what is known then, final_route() what was known in the end of the same path or of
/// the route given for it. A report groups by final_route() of what it stored; that merges the units that came before a place was
/// folded.
///
/// Memory: at most kMostPlaces places, kMostNames names each; beyond, segments that would need a new place become {name} at once.
class RouteTable {
public:
    static constexpr std::size_t kMostNames = 128;
    static constexpr std::size_t kMostPlaces = 4096;

    RouteTable();
    explicit RouteTable(RoutePatterns patterns);
    ~RouteTable();
    RouteTable(RouteTable&&) noexcept;
    RouteTable& operator=(RouteTable&&) noexcept;

    std::string route(std::string_view method, std::string_view path);
    [[nodiscard]] std::string final_route(std::string_view method, std::string_view path_or_route) const;

private:
    struct Place;
    void fold(Place& place);
    Place* enter(Place& place, std::string_view& name);
    void unite(Place& into, Place&& from);
    RoutePatterns patterns_;
    std::unique_ptr<Place> root_;
    std::size_t places_ = 1;
};

}  // namespace timesink::request
