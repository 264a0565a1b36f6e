#pragma once

#include "proto/parser.hpp"

/// Redis: RESP2 and RESP3 ("Redis serialization protocol specification"), inline commands.
namespace timesink::proto::redis {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::redis
