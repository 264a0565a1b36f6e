#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "infer/segment.hpp"

namespace timesink::infer {

enum class Step : std::uint32_t;

/// Which routes are one piece of code although their paths differ in a word ("/blog/why-we-moved", "/blog/hello"): the word is
/// data. Routes that may be so are related to a family, which is a route itself ("/blog/{name}"). Once its routes do the same,
/// they stand for it: what is learned of one is known of all, and who sleeps in one is not told apart from who does so in
/// another.
///
/// Owned by a Model. Bounded: kMostRoutes routes of kMostWays each; what is beyond stands for itself.
/// Not by the number of words alone, as reports fold them: a service of twelve routes has as many words there.
class Families {
public:
    static constexpr std::size_t kMostRoutes = 4096;
    static constexpr std::size_t kMostWays = 8;

    /// Told once of each route, ahead of all else.
    void relate(RouteId route, std::vector<RouteId> families);
    /// Another run has learned that units of this family go this way.
    void given(RouteId family, const std::vector<Step>& steps);
    /// A unit of the route went this way from request to response. Returns the families that have become one by that: those whose
    /// routes do the same now, and did not before.
    std::vector<RouteId> went(RouteId route, const std::vector<Step>& steps);
    /// The family whose model fits the route; itself, where there is none.
    [[nodiscard]] RouteId stands_for(RouteId route) const;
    /// Its routes of which a way is known.
    [[nodiscard]] const std::set<RouteId>& members(RouteId family) const;

private:
    struct Route {
        std::vector<RouteId> families;
        std::set<std::uint64_t> ways;
    };
    struct Family {
        std::map<std::uint64_t, std::size_t> ways;  // how many routes went each
        std::set<RouteId> members;
        std::size_t alike = 0;  // of them
        bool given = false;
        bool was_one = false;
        [[nodiscard]] bool is_one() const;
    };
    [[nodiscard]] bool alike(const Route& route, const Family& family) const;

    std::map<RouteId, Route> routes_;
    std::map<RouteId, Family> families_;
};

}  // namespace timesink::infer
