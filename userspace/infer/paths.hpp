#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/time.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

enum class Step : std::uint32_t;

/// What units of a route did from request to response, one behind the other, and how often.
struct KnownPath {
    /// How long the sleep took that is the part of this number.
    struct Slept {
        std::uint32_t part = 0;
        Duration least{};
        Duration most{};
    };
    std::vector<Step> steps;
    double times = 0;
    std::vector<Slept> slept;  ///< the latest kMostSlept that are known
};

/// The whole paths that a model was learned from, which make it again in another run: hashes of pasts would mean nothing there.
/// Owned by a Model. Bounded: kMostRoutes of kMostPaths each, none longer than kLongest; the first that are met stay.
class Paths {
public:
    static constexpr std::size_t kMostRoutes = 1024;
    static constexpr std::size_t kMostPaths = 32;
    static constexpr std::size_t kLongest = 256;
    static constexpr std::size_t kMostSlept = 32;

    /// One more unit of the route went this way; `slept`: what is known of its sleeps.
    void add(RouteId route, const std::vector<Step>& steps, const std::vector<KnownPath::Slept>& slept, double times);
    [[nodiscard]] const std::map<RouteId, std::vector<KnownPath>>& routes() const { return routes_; }

private:
    std::map<RouteId, std::vector<KnownPath>> routes_;
};

}  // namespace timesink::infer
