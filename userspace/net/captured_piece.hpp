#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace timesink::net {

/// Captured from within what a call moves, or what a TLS library is given at once.
struct CapturedPiece {
    std::uint64_t position = 0;  ///< in the stream; of what a TLS library is given: from its begin
    std::vector<std::byte> bytes;
    std::uint64_t number = 0;  ///< of its event
    std::uint64_t offset = 0;  ///< of its first byte there
};

}  // namespace timesink::net
