#pragma once

#include <set>
#include <vector>

#include "attribute/answered.hpp"
#include "attribute/live_unit.hpp"
#include "base/id_map.hpp"

namespace timesink::attribute {

struct Owner {
    UnitId unit{};
    Evidence evidence = Evidence::none;
    double margin = 0;
    Grounds grounds{};
    AnsweredRef after{};  ///< `unit`, where it had been answered by then: this is its background work. Null: it was in flight
    std::vector<UnitId> candidates{};  ///< of an ambiguous one: it is one of theirs; empty: it may be anybody's
};

/// Whose an exchange is, decided when its first byte is sent: by what is then in flight on the sending thread.
///  - one unit on the thread: its exchange, evidence `thread`;
///  - several: `ambiguous`; a thread that multiplexes tells nothing by itself;
///  - none on the thread, one in the process, and the thread was woken since it began by that unit's thread, or by one that was:
///  `inferred` (a helper thread);
///  - none anywhere: nobody's (a background job), and while such a job may go on, later ones on that thread are `ambiguous`.
///  It is over when nothing of it is outstanding and the thread waits, or reads a request, if it does one thing at a time.
/// After a loss, threads that multiplex are in doubt for as long as a unit may take: whose begin was lost is not known to be in
/// flight. Units that wait behind another on the same connection (HTTP/1.1 pipelining) are not in flight yet: they are answered
/// in order.
class Owners {
public:
    void began(LiveUnit& live);
    void ended(LiveUnit& live, Instant at);
    /// `context_certain`: a loss leaves no doubt of it (ContextOwners::certain).
    [[nodiscard]] Owner of(const request::Exchange& exchange, const Timelines& timelines, bool context_certain = false);
    void answered(const request::Exchange& exchange);
    /// It is not of the only unit on its thread after all: somebody else is at work there.
    void not_alone(const request::Exchange& exchange) {
        share(threads_[lane(exchange.process, exchange.sent_by)].active, exchange.sent);
    }
    /// The process deals its work to its threads by itself, goroutine by goroutine or task by task: which thread it is tells
    /// nothing.
    void schedules_itself(ProcessId process) { lanes_.insert(process); }
    [[nodiscard]] bool threads_tell(ProcessId process) const { return !lanes_.contains(process); }
    /// The thread was blocked in that system call (-1: none): if nothing of a background job is outstanding, the job is taken as
    /// over.
    void waited(ProcessId process, ThreadId thread, std::int16_t syscall);
    /// Whether units are in flight on the thread, and which, where it is one.
    [[nodiscard]] bool serves(ThreadId thread) const;
    /// Whether other threads of the process serve units. False where threads tell nothing.
    [[nodiscard]] bool serves_elsewhere(ProcessId process, ThreadId thread) const;
    [[nodiscard]] UnitId alone_on(ThreadId thread) const;
    /// Events were lost until `at`. Units in flight are marked already (LiveUnit::touched_by_loss).
    void lost(Instant at);
    /// Whether a loss leaves open what was in flight then.
    [[nodiscard]] bool in_doubt(Instant at) const { return at < in_doubt_until_; }

private:
    struct OnThread {
        std::vector<LiveUnit*> active;
        std::size_t background = 0;  // exchanges sent for nobody and not answered
        bool background_may_go_on = false;
        bool background_in_doubt = false;  // it may be a unit's whose begin was lost
        bool multiplexes = false;          // has had several units in flight: an event loop
        bool waits_for_one = false;        // was seen blocked in poll or a read: does one thing at a time, unless:
        bool waits_for_many = false;       // was seen blocked in epoll, as event loops are
    };
    using InProcess = std::vector<LiveUnit*>;  // in flight
    /// Units of a connection in order.
    struct Line {
        LiveUnit* first = nullptr;  // in flight
        std::vector<LiveUnit*> behind;
    };

    /// What stands for the thread: in a process whose threads tell nothing, they all count as one.
    [[nodiscard]] ThreadId lane(ProcessId process, ThreadId thread) const {
        return threads_tell(process) ? thread : ThreadId{number(process)};
    }
    void activate(LiveUnit& live, Instant at);
    static void advance(Line& line);
    void give_up_stale(OnThread& thread);
    static void end_background(OnThread& thread);
    void leave(LiveUnit& live, Instant at);
    static void share(const std::vector<LiveUnit*>& active, Instant at);
    [[nodiscard]] bool alone_in(ProcessId process) const;
    /// Bounded: of a unit that lasts long, threads may have waited any number of times.
    struct Search {
        const Timelines& timelines;
        int steps = 3;  // from the reactor to a worker, to its client's thread, to that one's helper
        int looks = 512;
    };
    [[nodiscard]] static bool handed_off(const LiveUnit& live, ThreadId helper, Instant at, Search& search);

    IdMap<ThreadId, OnThread> threads_;
    IdMap<ProcessId, InProcess> processes_;
    IdMap<SocketId, Line> lines_;  // of connections that have units
    IdMap<ExchangeId, ThreadId> background_;
    std::set<ProcessId> lanes_;  // whose threads tell nothing
    Duration longest_unit_{};
    Instant in_doubt_until_{};
};

}  // namespace timesink::attribute
