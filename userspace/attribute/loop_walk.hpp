#pragma once

#include <vector>

#include "attribute/connection_pools.hpp"
#include "attribute/trail.hpp"

namespace timesink::attribute {

/// The backward causal walk for a unit whose thread worked for others too while it ran: an event loop. What such a thread does
/// between two calls on sockets is work for whoever makes the second call, so the walk goes from each own call back over the work
/// that led to it to the call or the wait before. There the unit's own latest mark (a reply read, a request sent, its own request
/// read) says what it had waited for:
///
///   from the mark to the work               | charged to
///   ----------------------------------------+---------------------------------------------------------------------
///   the thread worked for others            | loop_busy
///   … and another used the connection that  | pool_wait until that one had its last reply, loop_busy from then on
///   the unit was handed next, with no other |
///   connection idle                         |
///   the thread had nothing to do            | sleep (a timer: nothing that it waited for came by a socket)
///   the mark is another thread's            | the work there until its next call, which woke this one
///   … or has started that thread            | run_queue, and on in the thread that woke it
///   the mark is a reply                     | from its arrival to the read: loop_busy, run_queue, cpu; before: the exchange
///   the request was not whole               | transfer_request
///   the mark is a write of the response     | transfer_response, until the loop was woken to write on
///   that left the socket full               |
///
/// Needs every exchange of the unit: without them, what it waited for is not known.
class LoopWalk {
public:
    LoopWalk(const LiveUnit& live, const Timelines& timelines, const ConnectionPools& pools, std::vector<Piece>& pieces);
    /// Leaves the pieces in time order, from unit.begin to unit.end; none empty.
    void run();

private:
    /// A moment at which the unit's work had got somewhere.
    struct Mark {
        Instant at{};
        ThreadId thread{};
        const OwnedExchange* exchange = nullptr;
        enum class What : std::uint8_t { request_read, connected, sent, reply_read, responded } what = What::request_read;
    };

    void gather_marks();
    void step();
    void own_call(const ThreadTimeline& timeline, const SocketCall& call);
    void gap(const ThreadTimeline& timeline);
    void resume(const Mark& mark);
    void charge_reply(const OwnedExchange& owned);
    void charge_executed(const request::Exchange& exchange);
    [[nodiscard]] bool told_by_another(const ThreadTimeline& timeline, Instant from) const;
    void charge_wait(const ThreadTimeline& timeline, Instant from);
    bool charge_slow_client(const ThreadTimeline& timeline, const Mark& mark);
    bool charge_pool_wait(const ThreadTimeline& timeline, Instant from);
    bool charge_helper(const ThreadTimeline& timeline, const Mark& mark);
    bool follow_starter(const ThreadTimeline& timeline, const OffCpuSpan& wait);
    void charge_running(const ThreadTimeline& timeline, Instant from, Cause running);
    [[nodiscard]] bool is_own(const SocketCall& call) const;
    [[nodiscard]] const OwnedExchange* exchange_of(const SocketCall& call) const;

    Trail trail_;
    const request::Unit& unit_;
    const Timelines& timelines_;
    const ConnectionPools& pools_;
    std::vector<Mark> marks_;  // in order of time; those that the walk has passed are gone
};

}  // namespace timesink::attribute
