#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace timesink::report {

inline constexpr std::string_view kNotMeasured = "–";

/// A unit of time for a whole column, and how many decimals its largest value needs for three significant digits.
struct TimeScale {
    double nanoseconds = 1e6;
    std::string_view unit = "ms";
    int decimals = 1;

    static TimeScale of(double largest_nanoseconds);  ///< s from 1 s on, ms from 1 ms on, else µs
    /// Fixed decimals; what is not zero but rounds to it becomes "<0.1".
    [[nodiscard]] std::string fixed(double nanoseconds_value) const;
    /// Three significant digits, at most two more decimals than the largest has.
    [[nodiscard]] std::string digits(double nanoseconds_value) const;
};

/// Three significant digits: 1.42, 58.1, 143, 12,400. Zero is "0".
std::string three_digits(double value);
std::string three_digits(double value, int most_decimals);
std::string fixed(double value, int decimals);
std::string grouped(std::uint64_t value);  ///< 12,418
std::string bytes(double value);           ///< "42.0 KB"; powers of 1,000 up to 999 B … EB
std::string duration(Duration value);      ///< "8.02 s", "58.1 ms", "410 µs", "0 ms"
std::string run_length(Duration value);    ///< "60.0 s", "10 min 00 s", "2 h 05 min"
std::string percent(double share);         ///< "57.9 %"; small but not zero: "<0.1 %"
std::string percent_short(double share);   ///< two or three digits at most: "57 %", "0.02 %"

double share_of(Duration part, Duration whole);  ///< 0 where there is no whole
double share_of(std::uint64_t part, std::uint64_t whole);

/// The same numbers, padded on both sides so that their decimal points are below each other. Not-measured marks stand right.
std::vector<std::string> align_points(const std::vector<std::string>& numbers);

}  // namespace timesink::report
