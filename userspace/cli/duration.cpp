#include "cli/duration.hpp"

#include <charconv>
#include <string>

namespace timesink::cli {

Result<Duration> parse_duration(std::string_view text) {
    static constexpr struct {
        std::string_view name;
        double seconds;
    } kUnits[] = {{"", 1}, {"s", 1}, {"ms", 0.001}, {"m", 60}, {"h", 3600}};
    static constexpr double kLongest = 366.0 * 24 * 3600;

    double number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
    for (const auto& known : kUnits) {
        const double seconds = number * known.seconds;
        if (error == std::errc() && unit == known.name && seconds > 0 && seconds <= kLongest) {
            return Duration(static_cast<Duration::rep>(seconds * 1e9));
        }
    }
    return Error{"'" + std::string(text) + "' is not a duration: a number with ms, s, m or h, up to a year"};
}

}  // namespace timesink::cli
