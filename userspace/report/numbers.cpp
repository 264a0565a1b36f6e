#include "report/numbers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "report/safe_text.hpp"

namespace timesink::report {

namespace {

int decimals_for(double value) {
    const double size = std::abs(value);
    // What would round up to the next power of ten needs a decimal less.
    return size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
}

}  // namespace

std::string fixed(double value, int decimals) {
    // Not printf: its decimal point is the locale's.
    std::array<char, 400> buffer{};
    const auto [end, error] = std::to_chars(buffer.begin(), buffer.end(), value, std::chars_format::fixed, decimals);
    return error == std::errc{} ? std::string(buffer.data(), end) : std::string(kNotMeasured);
}

std::string grouped(std::uint64_t value) {
    std::string text = std::to_string(value);
    for (std::size_t at = text.size(); at > 3; at -= 3) {
        text.insert(at - 3, 1, ',');  // the character form: GCC 12 warns falsely of the other
    }
    return text;
}

std::string three_digits(double value, int most_decimals) {
    if (!std::isfinite(value)) {
        return std::string(kNotMeasured);
    }
    if (value <= 0) {
        return "0";
    }
    if (value >= 999.5) {
        const double power = std::pow(10, std::floor(std::log10(value)) - 2);
        const double rounded = std::min(std::round(value / power) * power, 1.8e19);
        return grouped(static_cast<std::uint64_t>(std::llround(std::min(rounded, 9.2e18))));
    }
    int decimals = decimals_for(value);
    for (double limit = 0.9995; value < limit && decimals < 9; limit /= 10) {
        ++decimals;
    }
    decimals = std::min(decimals, most_decimals);
    std::string text = fixed(value, decimals);
    if (text.find_first_not_of("0.") == std::string::npos) {
        return std::string("<").append(fixed(std::pow(10, -decimals), decimals));
    }
    return text;
}

std::string three_digits(double value) {
    return three_digits(value, 3);
}

TimeScale TimeScale::of(double largest) {
    TimeScale scale = largest >= 0.9995e9   ? TimeScale{1e9, "s", 0}
                      : largest >= 0.9995e6 ? TimeScale{1e6, "ms", 0}
                                            : TimeScale{1e3, "µs", 0};
    scale.decimals = decimals_for(largest / scale.nanoseconds);
    return scale;
}

std::string TimeScale::fixed(double value) const {
    const double scaled = value / nanoseconds;
    std::string text = report::fixed(scaled, decimals);
    if (scaled > 0 && text.find_first_not_of("0.") == std::string::npos) {
        return std::string("<").append(report::fixed(std::pow(10, -decimals), decimals));
    }
    return text;
}

std::string TimeScale::digits(double value) const {
    return three_digits(value / nanoseconds, std::min(decimals + 2, 2));
}

std::string bytes(double value) {
    constexpr std::array<std::string_view, 7> kUnits = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    // There are no parts of a byte, but there are means.
    return three_digits(value, unit == 0 ? 0 : 2) + " " + std::string(kUnits[unit]);
}

std::string duration(Duration value) {
    if (value <= Duration{}) {
        return "0 ms";
    }
    const auto ns = static_cast<double>(value.count());
    const TimeScale scale = TimeScale::of(ns);
    return three_digits(ns / scale.nanoseconds) + " " + std::string(scale.unit);
}

std::string run_length(Duration value) {
    const double seconds = static_cast<double>(value.count()) / 1e9;
    if (seconds < 599.95) {
        return fixed(seconds, 1) + " s";
    }
    const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
    const auto two = [](std::uint64_t part) { return std::string(part < 10 ? "0" : "").append(std::to_string(part)); };
    if (whole < 3600) {
        return std::to_string(whole / 60) + " min " + two(whole % 60) + " s";
    }
    return grouped(whole / 3600) + " h " + two(whole % 3600 / 60) + " min";
}

std::string percent(double share) {
    const double value = share * 100;
    if (value > 0 && value < 0.05) {
        return "<0.1 %";
    }
    // Rounding must not say "all" where something is missing.
    if (value < 100 && value >= 99.95) {
        return "99.9 %";
    }
    return fixed(value, 1) + " %";
}

std::string percent_short(double share) {
    const double value = share * 100;
    if (value <= 0) {
        return "0 %";
    }
    if (value < 0.01) {
        return "<0.01 %";
    }
    if (value < 100 && value >= 99.5) {
        return "99.9 %";
    }
    return fixed(value, value >= 9.95 ? 0 : value >= 0.095 ? 1 : 2) + " %";
}

double share_of(Duration part, Duration whole) {
    return whole <= Duration{} ? 0 : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

double share_of(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<std::string> align_points(const std::vector<std::string>& numbers) {
    const auto before = [](const std::string& text) { return display_width(text.substr(0, text.find('.'))); };
    const auto after = [](const std::string& text) {
        const std::size_t point = text.find('.');
        return point == std::string::npos ? 0 : text.size() - point;
    };
    std::size_t left = 0;
    std::size_t right = 0;
    for (const std::string& text : numbers) {
        left = std::max(left, before(text));
        right = std::max(right, after(text));
    }
    std::vector<std::string> aligned;
    aligned.reserve(numbers.size());
    for (const std::string& text : numbers) {
        aligned.push_back(std::string(left - before(text), ' ') + text + std::string(right - after(text), ' '));
    }
    return aligned;
}

}  // namespace timesink::report
