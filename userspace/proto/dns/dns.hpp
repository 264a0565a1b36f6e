#pragma once

#include <memory>

#include "proto/parser.hpp"

/// DNS over UDP (RFC 1035): one exchange per question. Positions count the datagrams of a socket one behind the other.
namespace timesink::proto::dns {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::dns
