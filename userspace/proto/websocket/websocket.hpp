#pragma once

#include <string>

#include "proto/parser.hpp"

/// WebSocket (RFC 6455), behind the upgrade of an HTTP/1.1 connection.
namespace timesink::proto::websocket {

/// `target` and `host` of the request that asked for it name its messages. Correlations count from behind `last`.
std::unique_ptr<Parser> make(std::string target, std::string host, Correlation last);

}  // namespace timesink::proto::websocket
