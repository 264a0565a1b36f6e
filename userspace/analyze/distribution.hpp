#pragma once

#include <memory>

#include "analyze/model.hpp"
#include "base/time.hpp"

namespace timesink::analyze {

/// Durations as a histogram with a logarithmic axis, with exact count, sum, least and largest beside it. A quantile is at most
/// kRelativeError away from the value of that rank (below 1 µs: at most 1 µs away, above 10,000 s: not bounded).
/// About 1.2 KB when in use, nothing while empty. Not a t-digest: merging two of them would depend on the order.
class Distribution {
public:
    static constexpr double kRelativeError = 0.01;

    Distribution();
    ~Distribution();
    Distribution(const Distribution& other);
    Distribution& operator=(const Distribution&) = delete;
    Distribution(Distribution&&) noexcept;
    Distribution& operator=(Distribution&&) noexcept;

    void add(Duration value);  ///< a negative one counts as zero
    void add(const Distribution& other);
    [[nodiscard]] Quantiles quantiles() const;

private:
    struct Bins;
    std::unique_ptr<Bins> bins_;
    Quantiles exact_;  ///< count, sum, min and max
};

}  // namespace timesink::analyze
