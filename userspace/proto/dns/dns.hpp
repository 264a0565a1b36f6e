#pragma once

#include <memory>

#include "proto/parser.hpp"

/// DNS over UDP (RFC 1035): one exchange per question. Positions count the datagrams of a socket one behind the other.
namespace timesink::proto::dns {

Match detect(Direction direction, std::span<const std::byte> bytes);
/// `framing`: bytes ahead of each message, which count as its own.
std::unique_ptr<Parser> make(std::size_t framing);
std::unique_ptr<Parser> make();

/// The same over TCP and TLS (RFC 1035, section 4.2.2; RFC 7858): each message behind its length.
Match detect_stream(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make_stream();

}  // namespace timesink::proto::dns
