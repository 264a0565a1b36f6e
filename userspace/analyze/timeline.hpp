#pragma once

#include <cstdint>

#include "analyze/model.hpp"

namespace timesink::analyze {

/// The time series in the making: steps of one second, doubled whenever the run outgrows kMaximumPoints of them, so that an hour
/// costs what a minute does. What lies before the origin counts into the first step.
class Timeline {
public:
    static constexpr std::size_t kMaximumPoints = 600;

    /// The first call counts, later ones are ignored: the attach, or the first event where that is not told.
    void start(Instant origin);

    void in_flight(Interval span);
    void ended(Instant at, Duration latency, bool failed);
    void rss(Instant at, std::uint64_t bytes);
    /// Stolen since the sample before, which was at `from`.
    void steal(Instant from, Instant at, Duration stolen);

    [[nodiscard]] const Series& series() const { return series_; }

private:
    [[nodiscard]] std::size_t index(Instant at) const;
    SeriesPoint& point(Instant at);
    void reach(Instant at);
    void halve();

    Series series_;
    bool started_ = false;
};

}  // namespace timesink::analyze
