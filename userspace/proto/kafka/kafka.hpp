#pragma once

#include "proto/parser.hpp"

/// Kafka's protocol ("Apache Kafka Protocol Guide"): requests with api key, version and correlation id.
namespace timesink::proto::kafka {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::kafka
