#include "request/connect_attempts.hpp"

#include <algorithm>

#include "request/statement.hpp"

namespace timesink::request {

namespace {

constexpr std::size_t kMostEnds = 1024;
constexpr std::uint16_t kAfUnix = 1;
/// The program took it back before the kernel knew how it would end (happy eyeballs: another address was faster; a time-out of
/// its own).
constexpr std::string_view kGivenUp = "Connection given up";

}  // namespace

void ConnectAttempts::spoke(const event::Endpoint& remote, std::string_view protocol) {
    if (spoken_.size() < kMostEnds || spoken_.contains(remote)) {
        spoken_[remote] = protocol;
    }
}

std::optional<Exchange> ConnectAttempts::failed(const net::Connection& connection, ExchangeId number) const {
    const net::Connecting& asked = connection.connecting();
    const net::ConnectionSummary& summary = connection.summary();
    const bool used = summary.bytes_read + summary.bytes_written > 0;
    if (asked.began == Instant{} || connection.connected() != Instant{} || used || summary.family == 0) {
        return std::nullopt;
    }
    const Instant known = asked.failed != Instant{} ? asked.failed : summary.last_seen;
    Exchange exchange;
    exchange.id = number;
    exchange.protocol = summary.family == kAfUnix ? "unix" : "tcp";
    exchange.operation = exchange.statement = kConnect;
    exchange.fingerprint = fingerprint_of(exchange.statement);
    exchange.local = connection.local();
    exchange.remote = connection.remote();
    exchange.socket = connection.id();
    exchange.network_namespace = summary.network_namespace;
    exchange.process = asked.process;
    exchange.sent_by = exchange.read_by = asked.thread;
    exchange.sent_in = asked.context;
    exchange.connect_began = exchange.sent = exchange.sent_end = exchange.server_free = asked.began;
    exchange.arrived = exchange.arrived_end = std::max(asked.began, known);
    // A call that waited for it returns behind that.
    exchange.read_begin = exchange.read_end = std::max(exchange.arrived, asked.returned);
    exchange.error = connection.failure().empty() ? kGivenUp : connection.failure();
    exchange.complete = true;
    if (const auto found = spoken_.find(exchange.remote); found != spoken_.end()) {
        exchange.attributes.emplace_back("connect.for", found->second);
    }
    return exchange;
}

}  // namespace timesink::request
