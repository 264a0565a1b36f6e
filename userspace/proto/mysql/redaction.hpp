#pragma once

#include "proto/frames.hpp"
#include "proto/mysql/packet.hpp"

/// What of each packet may be recorded: what the parser reads. Not: values of statements and rows, names of users, what
/// authentication says, texts of errors.
namespace timesink::proto::mysql {

void keep_greeting(const Frame& frame, Sink& sink);
/// Precondition: is_login().
void keep_login(const Frame& frame, Sink& sink);
/// Precondition: a command that has a name.
void keep_command(const Frame& frame, Sink& sink);

/// What an answer's packet can be by its place.
enum class Said : std::uint8_t { first, prepared, text, columns, rows, definitions, login };
void keep_answer(const Frame& frame, Said said, Sink& sink);

}  // namespace timesink::proto::mysql
