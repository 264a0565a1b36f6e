#pragma once

#include <chrono>
#include <cstdint>

namespace timesink {

using Duration = std::chrono::nanoseconds;

/// CLOCK_MONOTONIC of the traced host. Not a callable clock: analysis never asks what time it is, it only reads events.
struct HostMonotonic {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<HostMonotonic, Duration>;
    static constexpr bool is_steady = true;
};
using Instant = HostMonotonic::time_point;

constexpr Instant instant_from_ns(std::uint64_t ns) {
    return Instant(Duration(static_cast<Duration::rep>(ns)));
}
constexpr std::int64_t to_ns(Instant at) {
    return at.time_since_epoch().count();
}
constexpr std::int64_t to_ns(Duration span) {
    return span.count();
}

/// Half open: [begin, end).
struct Interval {
    Instant begin;
    Instant end;
    [[nodiscard]] constexpr Duration length() const { return end - begin; }
    [[nodiscard]] constexpr bool contains(Instant at) const { return begin <= at && at < end; }
};

}  // namespace timesink
