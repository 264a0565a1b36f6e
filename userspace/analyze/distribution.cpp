#include "analyze/distribution.hpp"

#include <algorithm>
#include <boost/histogram/axis/regular.hpp>
#include <boost/histogram/histogram.hpp>
#include <boost/histogram/make_histogram.hpp>
#include <boost/histogram/unlimited_storage.hpp>
#include <cmath>
#include <tuple>

namespace timesink::analyze {

namespace {

namespace histogram = boost::histogram;
using Axis = histogram::axis::regular<double, histogram::axis::transform::log>;
using Counts = histogram::histogram<std::tuple<Axis>, histogram::unlimited_storage<>>;

constexpr double kFirst = 1e3;    // ns
constexpr double kLast = 1e13;    // ns
constexpr unsigned kBins = 1163;  // ln(1e10) / ln(1.02): a bin's geometric middle is within 1 % of both its edges

}  // namespace

struct Distribution::Bins {
    Counts counts{histogram::make_histogram_with(histogram::unlimited_storage<>(), Axis(kBins, kFirst, kLast))};
};

Distribution::Distribution() = default;
Distribution::~Distribution() = default;
Distribution::Distribution(const Distribution& other) {
    add(other);
}
Distribution::Distribution(Distribution&&) noexcept = default;
Distribution& Distribution::operator=(Distribution&&) noexcept = default;

void Distribution::add(Duration value) {
    value = std::max(value, Duration::zero());
    if (!bins_) {
        bins_ = std::make_unique<Bins>();
        exact_.min = value;
    }
    // log(0) is minus infinity: the axis puts it into its underflow bin
    bins_->counts(static_cast<double>(value.count()));
    ++exact_.count;
    exact_.sum += value;
    exact_.min = std::min(exact_.min, value);
    exact_.max = std::max(exact_.max, value);
}

void Distribution::add(const Distribution& other) {
    if (!other.bins_) {
        return;
    }
    if (!bins_) {
        bins_ = std::make_unique<Bins>();
        exact_.min = other.exact_.min;
    }
    bins_->counts += other.bins_->counts;
    exact_.count += other.exact_.count;
    exact_.sum += other.exact_.sum;
    exact_.min = std::min(exact_.min, other.exact_.min);
    exact_.max = std::max(exact_.max, other.exact_.max);
}

Quantiles Distribution::quantiles() const {
    Quantiles result = exact_;
    if (!bins_) {
        return result;
    }
    struct Wanted {
        std::uint64_t rank;
        Duration* value;
    };
    const auto rank = [&](std::uint64_t per_cent) { return std::max<std::uint64_t>(1, (exact_.count * per_cent + 99) / 100); };
    const std::array<Wanted, 4> wanted = {
        {{rank(50), &result.p50}, {rank(90), &result.p90}, {rank(95), &result.p95}, {rank(99), &result.p99}}};
    std::uint64_t seen = 0;
    std::size_t next = 0;
    const auto& axis = bins_->counts.axis(0);
    for (int bin = -1; bin <= axis.size() && next < wanted.size(); ++bin) {
        seen += static_cast<std::uint64_t>(static_cast<double>(bins_->counts.at(bin)));
        while (next < wanted.size() && seen >= wanted[next].rank) {
            double middle = bin < 0              ? 0
                            : bin == axis.size() ? static_cast<double>(exact_.max.count())
                                                 : std::sqrt(axis.value(bin) * axis.value(bin + 1));
            // The extremes are known exactly, so a single value is its own quantile.
            *wanted[next++].value = std::clamp(Duration(std::llround(middle)), exact_.min, exact_.max);
        }
    }
    return result;
}

}  // namespace timesink::analyze
