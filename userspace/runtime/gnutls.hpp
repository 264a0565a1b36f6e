#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace timesink::runtime {

/// Where GnuTLS's session has the random of the ClientHello, bytes. Read off the x86-64 code of gnutls_session_get_random(),
/// which gives a pointer to it to whoever asks, as is done for OpenSSL (openssl.hpp). Empty: the code is of another form.
std::optional<std::uint16_t> gnutls_random_place(std::span<const std::byte> code);

}  // namespace timesink::runtime
