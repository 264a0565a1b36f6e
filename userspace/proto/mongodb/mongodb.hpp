#pragma once

#include "proto/parser.hpp"

/// MongoDB's wire protocol ("MongoDB Wire Protocol"): OP_MSG, and what older drivers greet with (OP_QUERY, OP_REPLY).
namespace timesink::proto::mongodb {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::mongodb
