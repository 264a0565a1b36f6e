#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace timesink::redact {

/// A text in a Content-Encoding that genai::inflate undoes, filled up behind its end to `size` bytes. None: it needs more, or the
/// encoding is not known.
std::optional<std::string> compressed(std::string_view encoding, std::string_view text, std::size_t size);

}  // namespace timesink::redact
