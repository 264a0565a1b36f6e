#pragma once

#include "proto/parser.hpp"

/// HTTP/1.0 and 1.1 (RFC 9110, 9112).
namespace timesink::proto::http1 {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::http1
