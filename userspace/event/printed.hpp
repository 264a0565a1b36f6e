#pragma once

#include <cstdint>
#include <string>

namespace timesink::event {

/// A client of a dual-stack server appears there as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) and at its own end as a.b.c.d. One
/// spelling, or the two ends of one connection would not be recognised.
[[nodiscard]] std::string printed_address(std::uint16_t family, const std::uint8_t (&address)[16]);

/// A path may hold any byte but NUL; what is printed must be one line of valid UTF-8, so everything beyond printable ASCII is
/// \xNN.
[[nodiscard]] std::string printed_path(const char (&path)[108]);

}  // namespace timesink::event
