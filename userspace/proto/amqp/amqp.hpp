#pragma once

#include "proto/parser.hpp"

/// AMQP 0-9-1 as RabbitMQ speaks it ("AMQP Version 0-9-1 Specification", "RabbitMQ: Publisher Confirms").
namespace timesink::proto::amqp {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::amqp
