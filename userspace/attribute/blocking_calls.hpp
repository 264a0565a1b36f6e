#pragma once

#include <cstdint>

#include "base/id_map.hpp"
#include "event/event.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Owners on event loops that wait for each reply: evidence `inferred`. A loop that calls drivers which block (Mojolicious with
/// DBI, EventMachine with pg, gevent with a driver that it does not know) has several requests in flight, for it answers them
/// later, and serves one after the other: what it sends is for the request that it has just read, or for whom the reply was that
/// it has just read. Once it has waited for events, nobody is named until the next read: a timer may have been due.
///
/// Told of threads whose exchanges, while several units were in flight, were sent for somebody in this sense and answered before
/// anything else was done on any other socket, and before any wait in epoll, which is no driver's; one in twenty may be
/// otherwise. A loop that does not block breaks this as soon as two requests overlap. Without the waits in epoll it would do so
/// too seldom where statements are short and requests are long (timers).
class BlockingCalls {
public:
    static constexpr std::uint64_t kSeen = 8;
    static constexpr std::uint64_t kOneIn = 20;
    static constexpr double kMargin = 0.9;

    void on(const event::Call& call);
    void on(const event::OffCpu& off);
    void began(const request::Unit& unit);
    void ended(const request::Unit& unit);
    /// Of an exchange that is being sent. Zero: nothing is said.
    [[nodiscard]] UnitId of(const request::Exchange& exchange) const;
    void sent(const request::Exchange& exchange);
    void answered(const request::Exchange& exchange);
    void exited(ThreadId thread) { threads_.erase(thread); }
    /// Replies and ends of units may have been among what was lost. Learned anew: with an end that never comes, a request alone
    /// would look like several of which one is waited for, and any loop like one that blocks.
    void lost();

private:
    struct OnThread {
        UnitId works_for{};  // whose request or reply was read last; in flight
        UnitId asked_for{};  // as that was when `open` was sent
        std::uint32_t in_flight = 0;
        ExchangeId open{};          // sent last, and not answered
        SocketId socket{};          // of that
        bool tells = false;         // several units were in flight
        bool in_company = false;    // something else was done meanwhile
        std::uint64_t alone = 0;    // exchanges that were waited for
        std::uint64_t company = 0;  // and others
    };

    IdMap<ThreadId, OnThread> threads_;  // that have read requests
};

}  // namespace timesink::attribute
