#pragma once

#include <array>
#include <set>
#include <utility>
#include <vector>

#include "attribute/thread_timeline.hpp"
#include "base/id_map.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Calls that threads have sent for each other. A client that has threads of its own to read replies may queue what it is asked
/// for, and let whoever comes to a free connection send what stands first there (Jetty's HttpClient): under load now and then
/// another's. That a thread serves one unit then does not say whose its call is.
///
/// Told by who is woken: a thread that serves a unit is woken out of a futex by a reader that has just read the reply to another
/// thread's call, without having read or waited for anything since.
///  - It waits since it sent a call of its own, or so it seemed, which was not answered when it began to wait: neither call is
///  known to be its sender's.
///  - It has no call open: then the other's call may be its own, unless the sender was woken by that reader, too, or it next
///  sends something on that connection: that is what it waited for.
/// Once a process has shown this, a thread's call that another reads for it is its own only if the reply woke it before its unit
/// ended: of one that nobody waited for when the reply came, there is nothing else to tell by.
class CrossedCalls {
public:
    struct Call {
        ExchangeId exchange{};
        ThreadId sender{};
        UnitId unit{};  ///< that the sender served, alone
        ProcessId process{};
    };
    /// `unit`: known by the thread alone; zero: it is not.
    void sent(const request::Exchange& exchange, UnitId unit, const Timelines& timelines);
    void answered(const request::Exchange& exchange, UnitId unit);
    /// A thread's wait in a futex, at a word that is no lock that everyone takes, is over. `serves`: a unit, alone.
    void woken(const event::OffCpu& off, bool serves, const Timelines& timelines);
    void ended(const request::Unit& unit, const Timelines& timelines);
    /// Calls that are not known to be of the unit that their sender served.
    [[nodiscard]] std::vector<Call> take() { return std::exchange(crossed_, {}); }
    void exited(ThreadId thread);
    /// Who read what meanwhile is not known.
    void lost();

private:
    /// A reader goes on to others before the thread that it woke gets onto a CPU.
    static constexpr std::size_t kReadsKept = 16;
    static constexpr std::size_t kMostAwaited = 64;
    struct Read {
        Call call;
        Instant at{};
        SocketId socket{};
        ThreadId reader{};
    };
    struct Reads {
        std::array<Read, kReadsKept> kept{};
        std::size_t next = 0;
    };
    struct Sent {
        Call call;
        Instant at{};
        Instant read{};  // zero: not answered yet
    };

    void cross(const Call& call);
    void woken_by(ThreadId sender, ExchangeId reply);
    void judge(ThreadId woken, SocketId sends_on, const Timelines& timelines);
    [[nodiscard]] const Read* latest_read(const event::OffCpu& off, const Timelines& timelines) const;

    IdMap<ThreadId, Sent> open_;                  // what a thread sent last
    IdMap<ThreadId, Read> doubts_;                // by the thread that was woken without a call of its own
    IdMap<ThreadId, std::vector<Call>> awaited_;  // by the sender, which no reply has woken yet
    std::set<ProcessId> crosses_;
    std::vector<Call> crossed_;
    IdMap<ThreadId, Reads> reads_;  // replies to others' calls
};

}  // namespace timesink::attribute
