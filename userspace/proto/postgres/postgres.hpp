#pragma once

#include "proto/parser.hpp"

/// PostgreSQL's frontend/backend protocol, version 3 ("Frontend/Backend Protocol" in PostgreSQL's documentation).
namespace timesink::proto::postgres {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::postgres
