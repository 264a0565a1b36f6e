#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace timesink::net {

enum class Role : std::uint8_t { unknown, client, server };

/// What is said of a connection when it ends, or of every open one when the run does: coverage, not the account.
struct ConnectionSummary {
    SocketId socket{};
    ProcessId process{};
    Role role = Role::unknown;
    std::uint16_t family = 0;
    std::uint32_t network_namespace = 0;  ///< inode number; zero: not known
    event::Endpoint local;
    event::Endpoint remote;
    std::string protocol;     ///< OTel name; empty: no bytes moved; "unknown": no parser understood them
    std::string tls_version;  ///< "1.3"; empty: not encrypted, or the handshake was not seen
    std::string server_name;  ///< of the handshake (SNI); empty: none
    bool in_clear = false;    ///< what a TLS library encrypts was read
    bool opened_before_attach = false;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_not_captured = 0;  ///< of both directions: beyond the captured head and tail of their calls
    std::uint64_t bytes_lost = 0;          ///< of both directions: their event was lost
    std::uint64_t messages = 0;
    std::uint64_t lost_sync = 0;        ///< times a parser had to search for the next message
    std::uint64_t arrivals_missed = 0;  ///< reads of an answer whose arrival nobody told: taken for when they were over
    std::uint64_t retransmits = 0;
    Instant first_seen{};
    Instant last_seen{};
    bool open = false;  ///< still so at the end of the run
};

class ConnectionSink {
public:
    virtual ~ConnectionSink() = default;
    virtual void connection(const ConnectionSummary& summary) = 0;
};

}  // namespace timesink::net
