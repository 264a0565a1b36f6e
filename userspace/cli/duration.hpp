#pragma once

#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace timesink::cli {

/// "90", "90s", "1.5m", "2h", "500ms". Seconds without a unit; more than 0, at most a year.
Result<Duration> parse_duration(std::string_view text);

}  // namespace timesink::cli
