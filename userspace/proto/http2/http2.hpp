#pragma once

#include "proto/parser.hpp"

/// HTTP/2 (RFC 9113) with and without TLS below it, and gRPC on it ("gRPC over HTTP2").
namespace timesink::proto::http2 {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

/// Behind `Upgrade: h2c` (RFC 7540 section 3.2): the request that asked for it goes on as stream 1 and keeps its correlation.
/// Streams get those behind it.
std::unique_ptr<Parser> make_upgraded(Correlation stream_one);

}  // namespace timesink::proto::http2
