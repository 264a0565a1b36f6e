#include "infer/families.hpp"

#include <algorithm>
#include <utility>

#include "infer/model.hpp"

namespace timesink::infer {

namespace {

constexpr std::size_t kFew = 2;  ///< routes that do the same are one: sixty requests may show no more of some
// Of those that are known, four of five: a branch that is rare, a page that is made otherwise.
constexpr std::size_t kShare = 4;
constexpr std::size_t kOf = 5;

/// Loops go round as often as there is data.
std::uint64_t way_of(const std::vector<Step>& steps) {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (i == 0 || steps[i] != steps[i - 1]) {
            hash = (hash ^ (static_cast<std::uint64_t>(steps[i]) + 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
            hash ^= hash >> 32;
        }
    }
    return hash;
}

}  // namespace

bool Families::Family::is_one() const {
    return (given || alike >= kFew) && alike * kOf >= members.size() * kShare;
}

void Families::relate(RouteId route, std::vector<RouteId> families) {
    if (routes_.size() < kMostRoutes) {
        routes_.try_emplace(route, Route{std::move(families), {}});
    }
}

void Families::given(RouteId family, const std::vector<Step>& steps) {
    Family& known = families_[family];
    known.given = known.was_one = true;
    if (known.ways.size() < kMostWays) {
        known.ways[way_of(steps)] = kFew;
    }
}

bool Families::alike(const Route& route, const Family& family) const {
    return std::any_of(route.ways.begin(), route.ways.end(), [&](std::uint64_t way) {
        const auto found = family.ways.find(way);
        return found != family.ways.end() && found->second >= kFew;
    });
}

std::vector<RouteId> Families::went(RouteId route, const std::vector<Step>& steps) {
    std::vector<RouteId> become;
    const auto known = routes_.find(route);
    const std::uint64_t way = way_of(steps);
    // Once it is known what the family does, more of its routes tell nothing new: they need not be counted.
    constexpr std::size_t kEnough = 256;
    if (known == routes_.end() || known->second.ways.size() >= kMostWays || !known->second.ways.insert(way).second) {
        return become;
    }
    for (const RouteId id : known->second.families) {
        Family& family = families_[id];
        if (family.members.size() >= kEnough && !family.members.contains(route)) {
            continue;
        }
        family.members.insert(route);
        ++family.ways[way];
        family.alike = static_cast<std::size_t>(std::count_if(family.members.begin(), family.members.end(),
                                                              [&](RouteId member) { return alike(routes_.at(member), family); }));
        if (family.is_one() && !std::exchange(family.was_one, true)) {
            become.push_back(id);
        }
    }
    return become;
}

RouteId Families::stands_for(RouteId route) const {
    const auto known = routes_.find(route);
    if (known == routes_.end()) {
        return route;
    }
    RouteId best = route;
    std::size_t most = 0;
    for (const RouteId id : known->second.families) {
        const auto family = families_.find(id);
        if (family == families_.end() || !family->second.is_one() || (best != route && family->second.members.size() <= most)) {
            continue;
        }
        if (known->second.ways.empty() || alike(known->second, family->second)) {
            best = id;
            most = family->second.members.size();
        }
    }
    return best;
}

const std::set<RouteId>& Families::members(RouteId family) const {
    static const std::set<RouteId> kNone;
    const auto found = families_.find(family);
    return found != families_.end() ? found->second.members : kNone;
}

}  // namespace timesink::infer
