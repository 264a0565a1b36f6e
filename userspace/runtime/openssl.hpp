#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace timesink::runtime {

/// Where OpenSSL's object for a connection (SSL) has the random of the ClientHello.
struct RandomPlace {
    std::uint16_t offset = 0;   ///< bytes
    std::uint16_t through = 0;  ///< offset of a pointer to be followed before (1.1); 0: none (3.x)

    friend bool operator==(const RandomPlace&, const RandomPlace&) = default;
};

/// Read off the x86-64 code of SSL_get_client_random(), which copies it out: the one place where each build, of whatever version
/// and options, says it. A table by version would be wrong for patched builds. What comes of it names connections only where it
/// is found on the wire as well, so a wrong answer binds nothing. Empty: the code is of another form.
std::optional<RandomPlace> client_random_place(std::span<const std::byte> code);

}  // namespace timesink::runtime
