#pragma once

#include "proto/parser.hpp"

/// Memcached: the text protocol with its meta commands (doc/protocol.txt of memcached), and the binary one.
namespace timesink::proto::memcached {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::memcached
