#pragma once

#include <string_view>

#include "proto/parser.hpp"
#include "proto/redis/command_reader.hpp"

namespace timesink::proto::redis {

/// Says of a command what it does to a queue, in the words of OpenTelemetry (semantic conventions for messaging). `adds_to`: the
/// queue of the first job that it adds as the end of a transaction, else empty.
void tell_queue(const CommandReader& command, std::string_view adds_to, Head& head);

}  // namespace timesink::proto::redis
