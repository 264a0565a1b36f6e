#pragma once

#include <vector>

#include "attribute/trail.hpp"

namespace timesink::attribute {

/// The backward causal walk for a unit whose goroutine goes on wherever there is a thread for it, so that no thread's past is the
/// unit's. It goes from mark to mark (the request read, a request sent, a reply read, the response begun): what the unit's own
/// calls tell of it.
///
///   from a mark to the next            | charged to
///   -----------------------------------+--------------------------------------------------------------------------------
///   on the thread of the first, until  | what that thread did: cpu, run_queue, or why it was blocked
///   that next waits or serves another  |
///   on the thread of the second, since | the same
///   it last waited or served another   |
///   what lies between                  | unattributed: Go does not tell what a goroutine waits for (a timer, a lock, a pool)
///   a reply that was read              | from its arrival to the read: loop_busy (ready, but its turn came later; alone in
///                                      | the process: run_queue); before: the exchange
///   the request was not whole          | transfer_request
class GoroutineWalk {
public:
    GoroutineWalk(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces);
    /// Leaves the pieces in time order, from unit.begin to unit.end; none empty.
    void run();

private:
    struct Mark {
        Instant at{};
        ThreadId thread{};
        const OwnedExchange* reply = nullptr;    ///< it was read
        const OwnedExchange* connect = nullptr;  ///< it was connected
    };

    void gather_marks();
    void gap(const Mark& mark);
    void charge_running(const ThreadTimeline& timeline, Instant from);
    [[nodiscard]] bool is_own(const SocketCall& call) const;
    [[nodiscard]] Instant running_since(const ThreadTimeline& timeline, Instant from) const;
    [[nodiscard]] Instant running_until(const ThreadTimeline& timeline, Instant from, Instant to) const;
    void charge_reply(const OwnedExchange& owned);

    Trail trail_;
    const request::Unit& unit_;
    std::vector<Mark> marks_;  // in order of time; those that the walk has passed are gone
};

}  // namespace timesink::attribute
