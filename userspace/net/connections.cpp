#include "net/connections.hpp"

#include <map>

namespace timesink::net {

namespace {

constexpr std::uint16_t kFamilyUnknown = 0;  // AF_UNSPEC
constexpr std::uint8_t kRoleUnknown = 2;     // ts_socket.is_server

}  // namespace

void Connections::on(const event::Socket& socket) {
    if (socket.origin == TS_SOCKET_LISTEN) {
        return;
    }
    if (Connection* const known = find(socket.socket)) {
        known->introduce(socket);
    } else {
        table_[socket.socket] = std::make_unique<Connection>(socket, !attached_, messages_);
    }
}

void Connections::on(const event::Call& call) {
    Connection* found = find(call.socket);
    if (found == nullptr) {
        if (call.operation == TS_OPERATION_CLOSE) {
            return;
        }
        // Its socket record comes later (a connect stands at its entry), or was lost: then who its ends are is not known, but
        // what is said on it is.
        event::Socket socket{};
        socket.at = call.entered;
        socket.socket = call.socket;
        socket.process = call.process;
        socket.fd = call.fd;
        socket.family = kFamilyUnknown;
        socket.origin = TS_SOCKET_SEEN;
        socket.is_server = kRoleUnknown;
        const bool read = call.operation == TS_OPERATION_READ;
        socket.rx_position = read ? call.stream_begin : Connection::kPositionUnknown;
        socket.tx_position = read ? Connection::kPositionUnknown : call.stream_begin;
        std::unique_ptr<Connection>& made = table_[call.socket];
        made = std::make_unique<Connection>(socket, !attached_, messages_);
        found = made.get();
    }
    const bool named = found->tls_name() != 0;
    if (call.operation == TS_OPERATION_WRITE && older_.waits()) {
        found->name_tls(older_.sent(call, !named && found->opened_before_attach()));
    }
    found->on(call);
    if (!named && found->tls_name() != 0) {
        by_tls_name_.emplace(found->tls_name(), found->id());
    }
    if (!found->summary().open) {
        drop(*found);
    }
}

/// Of a connection that is met for the first time with the call itself, it is missing.
void Connections::on(const event::Payload& piece) {
    if (piece.clear) {
        hold(piece);
        return;
    }
    if (Connection* const found = find(piece.socket)) {
        found->on(piece);
    }
}

/// As many of one as the kernel side writes, of a few threads: what is given comes right behind them, unless its record was lost.
void Connections::hold(const event::Payload& piece) {
    constexpr std::size_t kMostPieces = 16;
    constexpr std::size_t kMostThreads = 64;
    if (clear_pieces_.size() >= kMostThreads && !clear_pieces_.contains(piece.thread)) {
        clear_pieces_.clear();
    }
    std::vector<CapturedPiece>& pieces = clear_pieces_[piece.thread];
    if (!pieces.empty() && piece.position <= pieces.back().position) {
        pieces.clear();  // of the one before
    }
    if (pieces.size() < kMostPieces) {
        pieces.push_back({piece.position, {piece.bytes.begin(), piece.bytes.end()}, piece.number, 0});
    }
}

/// The name is 64 random bits that the client chose and both ends keep, so it is right by itself. Both ends may be targets,
/// though: then the process decides, and where both are in one, none is taken.
void Connections::on(const event::Plaintext& plain) {
    std::vector<CapturedPiece> pieces;
    if (const auto held = clear_pieces_.find(plain.thread); held != clear_pieces_.end()) {
        pieces = std::move(held->second);
        clear_pieces_.erase(held);
    }
    if (plain.by_socket) {
        if (Connection* const found = find(SocketId{plain.connection})) {
            found->on(plain, std::move(pieces));
        }
        return;
    }
    if (plain.connection == 0) {
        return;
    }
    if (!by_tls_name_.contains(plain.connection)) {
        if (plain.operation == TS_OPERATION_WRITE) {
            older_.given(plain);
        }
        return;
    }
    Connection* chosen = nullptr;
    std::size_t candidates = 0;
    const auto [first, last] = by_tls_name_.equal_range(plain.connection);
    for (auto at = first; at != last; ++at) {
        Connection* const connection = find(at->second);
        if (connection != nullptr && connection->process() == plain.process) {
            chosen = connection;
            ++candidates;
        }
    }
    if (candidates == 1) {
        chosen->on(plain, std::move(pieces));
    }
}

void Connections::on(const event::Arrival& arrival) {
    if (Connection* const found = find(arrival.socket)) {
        found->on(arrival);
    }
}

void Connections::on(const event::SocketState& state) {
    Connection* const found = find(state.socket);
    if (found == nullptr) {
        return;
    }
    found->on(state);
    if (!found->summary().open) {
        drop(*found);
    }
}

void Connections::on(const event::Retransmit& retransmit) {
    if (Connection* const found = find(retransmit.socket)) {
        found->on_retransmit();
    }
}

void Connections::drop(const Connection& connection) {
    summaries_.connection(connection.summary());
    const auto [first, last] = by_tls_name_.equal_range(connection.tls_name());
    for (auto at = first; at != last; ++at) {
        if (at->second == connection.id()) {
            by_tls_name_.erase(at);
            break;
        }
    }
    table_.erase(connection.id());
}

void Connections::finish(Instant) {
    // Open messages stay open: the run ended, the streams did not.
    std::map<SocketId, const Connection*> in_order;
    table_.for_each([&](SocketId id, const std::unique_ptr<Connection>& connection) { in_order.emplace(id, connection.get()); });
    for (const auto& [id, connection] : in_order) {
        summaries_.connection(connection->summary());
    }
}

Connection* Connections::find(SocketId id) const {
    const std::unique_ptr<Connection>* const found = table_.find(id);
    return found == nullptr ? nullptr : found->get();
}

}  // namespace timesink::net
