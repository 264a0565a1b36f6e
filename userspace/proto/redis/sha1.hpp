#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace timesink::proto::redis {

/// SHA-1 (FIPS 180-4), because Redis names scripts by it: an EVAL and the EVALSHA of the same script get one name. Not for
/// security.
class Sha1 {
public:
    void add(std::span<const std::byte> bytes);
    /// 40 lower-case hex digits. Ends it; a new one must be begun after.
    std::string hex();

private:
    void block();
    std::array<std::uint32_t, 5> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::array<std::uint8_t, 64> buffer_{};
    std::uint64_t length_ = 0;  ///< bytes
};

}  // namespace timesink::proto::redis
