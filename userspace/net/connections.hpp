#pragma once

#include <map>
#include <memory>

#include "base/id_map.hpp"
#include "event/event.hpp"
#include "net/connection.hpp"
#include "net/summary.hpp"
#include "net/tls_adjacency.hpp"

namespace timesink::net {

/// All connections of the run, by socket id. Makes one for each socket that becomes known, hands it its events, and tells its
/// summary when it is closed or the run ends. Bounded by the open sockets of the targets: closed ones are dropped.
class Connections {
public:
    Connections(MessageSink& messages, ConnectionSink& summaries) : messages_(messages), summaries_(summaries) {}

    void on(const event::Socket& socket);
    void on(const event::Call& call);
    void on(const event::Payload& piece);
    /// Goes to the connection that it names. What no connection is found for, or more than one, is nobody's.
    void on(const event::Plaintext& plain);
    void on(const event::Arrival& arrival);
    void on(const event::SocketState& state);
    void on(const event::Retransmit& retransmit);
    /// All probes are live: sockets made known until now were open before.
    void attached() { attached_ = true; }
    void finish(Instant at);

    /// Null: not known.
    [[nodiscard]] Connection* find(SocketId id) const;

private:
    void drop(const Connection& connection);
    void hold(const event::Payload& piece);

    MessageSink& messages_;
    ConnectionSink& summaries_;
    IdMap<SocketId, std::unique_ptr<Connection>> table_;
    std::multimap<std::uint64_t, SocketId> by_tls_name_;
    std::map<ThreadId, std::vector<CapturedPiece>> clear_pieces_;  ///< of what threads give to TLS libraries next
    TlsAdjacency older_;                                           ///< for connections whose handshake was not seen
    bool attached_ = false;
};

}  // namespace timesink::net
