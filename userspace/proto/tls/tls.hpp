#pragma once

#include "proto/parser.hpp"

/// TLS 1.0 – 1.3 as it is on the wire (RFC 8446, RFC 5246): what the handshake says in the clear, then who was waited for.
namespace timesink::proto::tls {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();
/// After a greeting of another protocol (PostgreSQL's SSLRequest). `over`: its name, a constant of the program.
std::unique_ptr<Parser> make_over(std::string_view over);

}  // namespace timesink::proto::tls
