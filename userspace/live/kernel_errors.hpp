#pragma once

#include <string>

#include "base/result.hpp"

namespace timesink::live {

/// Why the kernel refused, in words of an errno; where that is a matter of permissions, which ones are needed.
[[nodiscard]] std::string refusal(int errno_value);

/// `what` failed because of that errno.
[[nodiscard]] Error failure(const std::string& what, int errno_value);

}  // namespace timesink::live
