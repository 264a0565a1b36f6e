#pragma once

#include "proto/frames.hpp"
#include "proto/mongodb/message.hpp"

namespace timesink::proto::mongodb {

/// Says what of a message may be recorded: names and types of the elements that command_of() and reply_of() walk over, and the
/// values that they read (collection, database, counts and codes). Not: other values, documents that are sent or found.
void keep(const Frame& frame, const Header& header, Sink& sink);

}  // namespace timesink::proto::mongodb
