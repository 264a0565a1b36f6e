#pragma once

#include <algorithm>
#include <cstddef>

#include "base/ring.hpp"

namespace timesink {

/// As Ring::count_front(), but fastest near `latest`, which becomes the answer: for those who go through a long ring step by
/// step, far from its back. What stands in `latest` may be anything; elements may have come and gone since.
template <typename T, typename Predicate>
[[nodiscard]] std::size_t count_front_near(const Ring<T>& ring, std::size_t& latest, Predicate holds) {
    std::size_t low = std::min(latest, ring.size());  // holds in front of it
    std::size_t high = low;                           // not from here on
    std::size_t step = 1;
    while (low > 0 && !holds(ring[low - 1])) {
        high = low - 1;
        low = high - std::min(high, step);
        step *= 2;
    }
    while (high < ring.size() && holds(ring[high])) {
        low = high + 1;
        high = std::min(ring.size(), low + step);
        step *= 2;
    }
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (holds(ring[middle])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    latest = low;
    return low;
}

}  // namespace timesink
