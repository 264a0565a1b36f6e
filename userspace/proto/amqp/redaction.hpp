#pragma once

#include "proto/amqp/frame.hpp"
#include "proto/frames.hpp"

namespace timesink::proto::amqp {

/// Says what of a method's frame may be recorded: its number, the place that it is about, tags and codes. Not: what
/// authentication says, arguments, texts.
void keep(const Frame& frame, Method method, Sink& sink);

}  // namespace timesink::proto::amqp
