#pragma once

#include <string>

#include "base/time.hpp"

namespace timesink::golden {

/// Milliseconds with six decimals, as the scripts have them.
inline std::string milliseconds(Duration span) {
    const auto ns = to_ns(span);
    std::string digits = std::to_string(ns < 0 ? -ns : ns);
    digits.insert(0, digits.size() < 7 ? 7 - digits.size() : 0, '0');
    digits.insert(digits.size() - 6, ".");
    return (ns < 0 ? "-" : "") + digits;
}

/// Since the start of the script, which is at 1 s of CLOCK_MONOTONIC.
inline std::string at(Instant instant) {
    return milliseconds(instant - Instant(std::chrono::seconds(1)));
}

}  // namespace timesink::golden
