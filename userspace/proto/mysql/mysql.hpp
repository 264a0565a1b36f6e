#pragma once

#include "proto/parser.hpp"

/// MySQL and MariaDB: the client/server protocol 4.1 and later ("MySQL Internals Manual", "MariaDB Client/Server Protocol").
namespace timesink::proto::mysql {

Match detect(Direction direction, std::span<const std::byte> bytes);
std::unique_ptr<Parser> make();

}  // namespace timesink::proto::mysql
