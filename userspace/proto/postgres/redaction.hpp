#pragma once

#include "proto/postgres/framer.hpp"

namespace timesink::proto::postgres {

/// Says of a message whose first bytes are there (as many as its kind has kept) what of it may be recorded: type and length, what
/// the parser reads, statements without their values. Not: values, rows, passwords and other secrets, texts of errors.
void keep(const Message& message, Direction direction, Sink& sink);

}  // namespace timesink::proto::postgres
