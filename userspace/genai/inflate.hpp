#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace timesink::genai {

/// More than this is not looked at, however small it was compressed.
inline constexpr std::size_t kMostInflated = std::size_t{1024} * 1024;

/// Undoes a Content-Encoding: gzip, deflate (as zlib's format and bare), br, zstd. None: another encoding, more than
/// kMostInflated, or bytes that are not of it or not whole.
std::optional<std::string> inflate(std::string_view content_encoding, std::string_view bytes);

}  // namespace timesink::genai
