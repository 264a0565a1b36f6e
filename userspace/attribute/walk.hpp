#pragma once

#include <optional>
#include <vector>

#include "attribute/account.hpp"
#include "attribute/live_unit.hpp"
#include "attribute/thread_timeline.hpp"
#include "attribute/trail.hpp"

namespace timesink::attribute {

/// The backward causal walk: from the end of a unit to its begin, at each point asking what ended last.
///
///   at        | what the thread did just before            | charged to                         | goes on at
///   ----------+--------------------------------------------+------------------------------------+---------------------------
///   any       | executed                                   | cpu                                | when it got the CPU
///   got CPU   | was runnable                               | run_queue                          | when it was woken
///   arrival   | had sent the request and went to read it   | first byte, queue of that exchange | when the request was sent
///   woken     | waited for a reply of an own exchange      | body, first byte, queue of it      | when the request was sent, on
///   the
///             |                                            |                                    | thread that sent it
///   any       | was in an engine in the process            | embedded, queue of that exchange   | when it entered the engine
///   woken     | waited for the client                      | transfer                           | when it blocked
///   woken     | waited for a thread that works for the unit| –                                  | now, on that thread
///   woken     | futex, disk, page fault, sleep             | that cause                         | when it blocked
///   reading   | the request was in the kernel, unread      | backlog, run_queue, cpu            | the unit's begin
///
/// The pieces are contiguous by construction, so they sum exactly. While other units shared the thread its state says nothing of
/// this one: such stretches are unattributed.
class Walk {
public:
    /// `pieces`: what it writes to; not owned.
    Walk(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces);
    /// Leaves the pieces in time order, from unit.begin to unit.end; none empty.
    void run();

private:
    struct Synchronous;
    void step();
    void blocked(const ThreadTimeline& timeline, const OffCpuSpan& span);
    bool on_socket(const SocketCall& call, const OffCpuSpan& span);
    void find_synchronous();
    void charge_synchronous(const Synchronous& call);
    bool wait_for_reply(const OwnedExchange& owned, const OffCpuSpan& span);
    void polled(const ThreadTimeline& timeline, const OffCpuSpan& span);
    bool follow_waker(const ThreadTimeline& timeline, const OffCpuSpan& span);
    [[nodiscard]] bool is_own_thread(ThreadId thread) const;
    [[nodiscard]] bool works_for_unit(const ThreadTimeline& timeline, ThreadId thread, Instant at, int hand_overs) const;
    [[nodiscard]] const OwnedExchange* awaited_on(SocketId socket, const OffCpuSpan& span) const;
    [[nodiscard]] const OwnedExchange* outstanding(const OffCpuSpan& span) const;
    void withhold_shared();

    Trail trail_;
    const LiveUnit& live_;
    const request::Unit& unit_;
    const Timelines& timelines_;
    /// Of an exchange that its thread waited for without doing anything else: its time from the sending until then is the
    /// exchange's.
    struct Synchronous {
        const OwnedExchange* exchange;
        Instant until;    // the last byte of the reply arrived; or the first, when the thread worked on what it had
        Instant since{};  // of what an engine in the process executed: it had the thread in [since, until)
    };
    std::vector<Synchronous> synchronous_;  // ascending; those that the walk has passed are gone
};

}  // namespace timesink::attribute
