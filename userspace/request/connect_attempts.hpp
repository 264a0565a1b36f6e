#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "net/connection.hpp"
#include "request/exchange.hpp"

namespace timesink::request {

/// What asking for a connection is called as an exchange: its protocol is "tcp" or "unix".
inline constexpr std::string_view kConnect = "connect";

/// Connections that never came to be, as exchanges: who asked, whom, how long that took, and why it came to nothing. Those that
/// came to be are in the first exchange that is made on them. Owned by Tracker.
class ConnectAttempts {
public:
    /// This end speaks that protocol: an attempt to reach it later was for that.
    void spoke(const event::Endpoint& remote, std::string_view protocol);
    /// Nothing: it was connected, or nobody here asked for it.
    [[nodiscard]] std::optional<Exchange> failed(const net::Connection& connection, ExchangeId number) const;

private:
    std::map<event::Endpoint, std::string> spoken_;
};

}  // namespace timesink::request
