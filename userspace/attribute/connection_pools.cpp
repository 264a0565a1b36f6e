#include "attribute/connection_pools.hpp"

#include <algorithm>

namespace timesink::attribute {

void ConnectionPools::closed(SocketId socket) {
    if (const Connection* const connection = connections_.find(socket)) {
        std::erase(*connection->pool, socket);
        connections_.erase(socket);
    }
}

void ConnectionPools::sent(const request::Exchange& exchange) {
    Connection& connection = connections_[exchange.socket];
    if (connection.pool == nullptr) {
        connection.pool = &pools_[{exchange.process, exchange.remote}];
        connection.pool->push_back(exchange.socket);
    }
    connection.user = exchange.sent_by;
    connection.uses.push_back({exchange.id, exchange.sent, {}, {}, false});
    if (connection.uses.size() > kMostUses) {
        connection.uses.pop_front();
    }
}

ConnectionPools::Use* ConnectionPools::find(Connection& connection, ExchangeId exchange) {
    const std::size_t upto = connection.uses.count_front([exchange](const Use& use) { return use.exchange <= exchange; });
    Use* const use = upto == 0 ? nullptr : &connection.uses[upto - 1];
    return use != nullptr && use->exchange == exchange ? use : nullptr;
}

void ConnectionPools::answered(const request::Exchange& exchange) {
    Connection* const connection = connections_.find(exchange.socket);
    if (Use* const use = connection == nullptr ? nullptr : find(*connection, exchange.id)) {
        use->read = exchange.read_end;
    }
}

void ConnectionPools::settled(const request::Exchange& exchange, UnitId owner) {
    Connection* const connection = connections_.find(exchange.socket);
    if (Use* const use = connection == nullptr ? nullptr : find(*connection, exchange.id)) {
        use->owner = owner;
        use->settled = true;
    }
}

void ConnectionPools::ended(UnitId unit, Instant at) {
    ends_[unit] = at;
    ended_.push_back({at, unit});
}

void ConnectionPools::forget(Instant before) {
    forgotten_ = std::max(forgotten_, before);
    connections_.for_each([before](SocketId, Connection& connection) {
        // The last one says whether it is idle.
        while (connection.uses.size() > 1 && connection.uses.front().read != Instant{} && connection.uses.front().read < before) {
            connection.uses.pop_front();
        }
    });
    while (!ended_.empty() && ended_.front().at < before) {
        ends_.erase(ended_.front().unit);
        ended_.pop_front();
    }
}

bool ConnectionPools::is_idle(const Connection& connection, Instant at, Duration hand_over) const {
    const std::size_t sent = connection.uses.count_front([at](const Use& use) { return use.sent <= at; });
    if (sent == 0) {
        return true;
    }
    const Use& last = connection.uses[sent - 1];
    if (last.read == Instant{} || last.read > at || !last.settled) {
        return false;
    }
    if (last.owner != UnitId{}) {
        const Instant* const end = ends_.find(last.owner);
        const bool in_flight = end == nullptr ? last.read >= forgotten_ : *end > at;
        if (in_flight) {
            return false;
        }
    }
    return at - last.read > hand_over;
}

bool ConnectionPools::exhausted(SocketId socket, Instant released, Instant used) const {
    const Connection* const connection = connections_.find(socket);
    if (connection == nullptr) {
        return false;
    }
    const Pool& pool = *connection->pool;
    return std::none_of(pool.begin(), pool.end(), [&](SocketId other) {
        const Connection* const sibling = other == socket ? nullptr : connections_.find(other);
        return sibling != nullptr && sibling->user == connection->user && is_idle(*sibling, released, used - released);
    });
}

}  // namespace timesink::attribute
