#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "runtime/openssl.hpp"

namespace timesink::runtime {

/// As client_random_place() for BoringSSL, whose function has the same name: there the random is in a part of the connection's
/// object that a pointer at its begin leads to, so displacements are short ones. Read off the x86-64 code of
/// SSL_get_client_random(). Empty: the code is of another form.
std::optional<RandomPlace> boringssl_random_place(std::span<const std::byte> code);

}  // namespace timesink::runtime
