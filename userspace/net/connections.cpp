#include "net/connections.hpp"

namespace timesink::net {

namespace {

constexpr std::uint16_t kFamilyUnknown = 0;  // AF_UNSPEC
constexpr std::uint8_t kRoleUnknown = 2;     // ts_socket.is_server

}  // namespace

void Connections::on(const event::Socket& socket) {
    if (socket.origin == TS_SOCKET_LISTEN) {
        return;
    }
    const auto known = table_.find(socket.socket);
    if (known == table_.end()) {
        table_.emplace(socket.socket, std::make_unique<Connection>(socket, !attached_, messages_));
    } else {
        known->second->introduce(socket);
    }
}

void Connections::on(const event::Call& call) {
    auto found = table_.find(call.socket);
    if (found == table_.end()) {
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
        found = table_.emplace(call.socket, std::make_unique<Connection>(socket, !attached_, messages_)).first;
    }
    found->second->on(call);
    if (!found->second->summary().open) {
        drop(found);
    }
}

void Connections::on(const event::Arrival& arrival) {
    if (const auto found = table_.find(arrival.socket); found != table_.end()) {
        found->second->on(arrival);
    }
}

void Connections::on(const event::SocketState& state) {
    const auto found = table_.find(state.socket);
    if (found == table_.end()) {
        return;
    }
    found->second->on(state);
    if (!found->second->summary().open) {
        drop(found);
    }
}

void Connections::on(const event::Retransmit& retransmit) {
    if (const auto found = table_.find(retransmit.socket); found != table_.end()) {
        found->second->on_retransmit();
    }
}

void Connections::drop(std::map<SocketId, std::unique_ptr<Connection>>::iterator at) {
    summaries_.connection(at->second->summary());
    table_.erase(at);
}

void Connections::finish(Instant) {
    // Open messages stay open: the run ended, the streams did not.
    for (const auto& [id, connection] : table_) {
        summaries_.connection(connection->summary());
    }
}

const Connection* Connections::find(SocketId id) const {
    const auto found = table_.find(id);
    return found == table_.end() ? nullptr : found->second.get();
}

}  // namespace timesink::net
