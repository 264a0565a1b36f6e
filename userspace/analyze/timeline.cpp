#include "analyze/timeline.hpp"

#include <algorithm>

namespace timesink::analyze {

namespace {

template <typename T>
std::optional<T> largest(const std::optional<T>& a, const std::optional<T>& b) {
    return a && b ? std::max(*a, *b) : (a ? a : b);
}

SeriesPoint merged(const SeriesPoint& a, const SeriesPoint& b) {
    SeriesPoint sum;
    sum.units = a.units + b.units;
    sum.failed = a.failed + b.failed;
    sum.latency = a.latency + b.latency;
    sum.latency_max = std::max(a.latency_max, b.latency_max);
    sum.in_flight = a.in_flight + b.in_flight;
    sum.rss_bytes = largest(a.rss_bytes, b.rss_bytes);
    if (a.steal || b.steal) {
        sum.steal = a.steal.value_or(Duration{}) + b.steal.value_or(Duration{});
    }
    return sum;
}

}  // namespace

void Timeline::start(Instant origin) {
    if (!started_) {
        started_ = true;
        series_.begin = origin;
        series_.step = std::chrono::seconds(1);
    }
}

std::size_t Timeline::index(Instant at) const {
    return at <= series_.begin ? 0 : static_cast<std::size_t>((at - series_.begin) / series_.step);
}

void Timeline::halve() {
    std::vector<SeriesPoint>& points = series_.points;
    const std::size_t half = (points.size() + 1) / 2;
    for (std::size_t i = 0; i < half; ++i) {
        points[i] = 2 * i + 1 < points.size() ? merged(points[2 * i], points[2 * i + 1]) : points[2 * i];
    }
    points.resize(half);
    series_.step *= 2;
}

void Timeline::reach(Instant at) {
    start(at);
    // The step can always be doubled: after 33 times it exceeds what the type can tell apart from the origin.
    while (index(at) >= kMaximumPoints) {
        halve();
    }
    if (index(at) >= series_.points.size()) {
        series_.points.resize(index(at) + 1);
    }
}

SeriesPoint& Timeline::point(Instant at) {
    reach(at);
    return series_.points[index(at)];
}

void Timeline::in_flight(Interval span) {
    if (span.end <= span.begin) {
        return;
    }
    start(span.begin);
    reach(span.end);
    for (std::size_t i = index(span.begin); i <= index(span.end); ++i) {
        const Instant from = i == 0 ? Instant::min() : series_.begin + series_.step * static_cast<Duration::rep>(i);
        const Instant to = series_.begin + series_.step * static_cast<Duration::rep>(i + 1);
        const Duration overlap = std::min(to, span.end) - std::max(from, span.begin);
        series_.points[i].in_flight += std::max(overlap, Duration::zero());
    }
}

void Timeline::ended(Instant at, Duration latency, bool failed) {
    SeriesPoint& step = point(at);
    ++step.units;
    step.failed += failed ? 1 : 0;
    step.latency += latency;
    step.latency_max = std::max(step.latency_max, latency);
}

void Timeline::rss(Instant at, std::uint64_t bytes) {
    SeriesPoint& step = point(at);
    step.rss_bytes = std::max(step.rss_bytes.value_or(0), bytes);
}

void Timeline::steal(Instant from, Instant at, Duration stolen) {
    // Samples come once a second: a step gets what its own last sample says, which is right to one sample.
    SeriesPoint& step = point(std::max(from, at - Duration(1)));
    step.steal = step.steal.value_or(Duration{}) + std::max(stolen, Duration::zero());
}

}  // namespace timesink::analyze
