#pragma once

#include <cstdint>

namespace timesink::live {

// How often followers look at a process again that has not yet loaded what they look for: in haste at first, for a service loads
// its program, libraries and modules within some seconds.
inline constexpr int kTriesInHaste = 25;
inline constexpr std::uint64_t kPause = 200'000'000;        ///< nanoseconds
inline constexpr std::uint64_t kLongPause = 2'000'000'000;  ///< behind them; nanoseconds

}  // namespace timesink::live
