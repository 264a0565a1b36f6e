#pragma once

#include <map>
#include <utility>
#include <vector>

#include "base/id_map.hpp"
#include "base/ids.hpp"
#include "base/ring.hpp"
#include "base/time.hpp"
#include "event/event.hpp"
#include "request/exchange.hpp"

namespace timesink::attribute {

/// The connections of each process to each server, and who used which when: tells whether one that was handed a connection had
/// to wait for it. A pool is not seen as such: the connections to one address that a thread has used are taken for one. Those
/// never used yet may be another pool's, or wait for notifications, and count for nothing. Bounded by forget() and kMostUses.
class ConnectionPools {
public:
    static constexpr std::size_t kMostUses = 4096;  ///< kept of one connection

    void closed(SocketId socket);
    void sent(const request::Exchange& exchange);
    void answered(const request::Exchange& exchange);
    /// Whose it is has been decided; zero: nobody's, or it cannot be told.
    void settled(const request::Exchange& exchange, UnitId owner);
    void ended(UnitId unit, Instant at);
    /// Nothing before this will be asked for.
    void forget(Instant before);

    /// Whether no other connection was idle when this one was given back at `released`, to be used again by another at `used`.
    /// One is in use while an exchange is open on it, and until the unit that had it ended; work of nobody has it for as long
    /// as it takes to hand it on (used − released).
    [[nodiscard]] bool exhausted(SocketId socket, Instant released, Instant used) const;

private:
    struct Use {
        ExchangeId exchange;
        Instant sent;
        Instant read;  // zero: open
        UnitId owner;
        bool settled;
    };
    struct End {
        Instant at;
        UnitId unit;
    };
    using Pool = std::vector<SocketId>;
    struct Connection {
        Pool* pool = nullptr;
        ThreadId user{};  // the latest
        Ring<Use> uses;   // in order of sending
    };
    static Use* find(Connection& connection, ExchangeId exchange);
    [[nodiscard]] bool is_idle(const Connection& connection, Instant at, Duration hand_over) const;

    std::map<std::pair<ProcessId, event::Endpoint>, Pool> pools_;  // its nodes stay where they are
    IdMap<SocketId, Connection> connections_;
    IdMap<UnitId, Instant> ends_;
    Ring<End> ended_;      // in order of time, to forget them
    Instant forgotten_{};  // ends before this are not known any more
};

}  // namespace timesink::attribute
