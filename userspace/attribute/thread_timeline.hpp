#pragma once

#include <map>
#include <memory>

#include "base/id_map.hpp"
#include "base/ids.hpp"
#include "base/ring.hpp"
#include "base/time.hpp"
#include "event/event.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// A stretch in which a thread was not on a CPU: blocked in [off, woken), runnable in [woken, on).
struct OffCpuSpan {
    Instant off;
    Instant woken;
    Instant on;
    ThreadId waker;
    std::int16_t waker_syscall;
    std::int16_t syscall;
    ts_off_cpu_state state;
    bool iowait;
    [[nodiscard]] bool blocked() const { return woken > off; }
};

/// A call on a socket, as far as the partition needs it.
struct SocketCall {
    Instant entered;
    Instant exited;
    SocketId socket;
    ts_operation operation;
    std::int64_t result = 0;  ///< bytes, or -errno
};

/// A write after which the socket may have been full. One that does not block says so by taking less than it was given, and how
/// much that was is not recorded: so by its size, which is more than what services say a piece at a time (events, lines).
bool may_have_filled(const SocketCall& write);

/// What a thread has used since it was first seen.
struct ThreadUse {
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    request::CallsByClass calls{};
};

/// The recent past of one thread: when it was off the CPU and what it did on sockets. Owned by Timelines. Both lists ascend in
/// time and neither has overlaps: a thread does one thing at a time. Bounded by forget() and by kMaximumKept.
class ThreadTimeline {
public:
    static constexpr std::size_t kMaximumKept = 1U << 16U;

    void on(const event::Call& call);
    void on(const event::OffCpu& off);
    /// A call into an engine in the process, when it is over: as a read of a connection of its own. What others did on sockets
    /// within it stands by itself.
    void executed(ProcessId process, Interval call, SocketId name);
    void forget(Instant before);

    /// The latest span that began before `at`; null: none known.
    [[nodiscard]] const OffCpuSpan* latest_off(Instant at) const;
    /// The one before one that latest_off() gave: latest_off(span.off), without the search.
    [[nodiscard]] const OffCpuSpan* off_before(const OffCpuSpan& span) const {
        const OffCpuSpan* before = off_.before(span);
        while (before != nullptr && before->off >= span.off) {
            before = off_.before(*before);
        }
        return before;
    }
    /// The call that the thread was in during the whole span; null: none on a socket.
    [[nodiscard]] const SocketCall* call_around(const OffCpuSpan& span) const;
    /// The first call that was entered at `at` or later.
    [[nodiscard]] const SocketCall* next_call(Instant at) const;
    /// The last write on that socket that had returned by `at`; null: none known, or too many other calls ago.
    [[nodiscard]] const SocketCall* latest_write(SocketId socket, Instant at) const;
    /// The last call that had returned by `at`; null: none known.
    [[nodiscard]] const SocketCall* latest_call(Instant at) const;
    /// latest_call() for moments of which each is earlier than the one before: goes back from there instead of searching.
    class CallsBack {
    public:
        const SocketCall* latest_call(Instant at) {
            while (left_ != 0 && calls_[left_ - 1].exited > at) {
                --left_;
            }
            return left_ == 0 ? nullptr : &calls_[left_ - 1];
        }

    private:
        friend class ThreadTimeline;
        CallsBack(const Ring<SocketCall>& calls, std::size_t returned) : calls_(calls), left_(returned) {}
        const Ring<SocketCall>& calls_;
        std::size_t left_;  ///< at the front
    };
    /// Valid until the next call is kept.
    [[nodiscard]] CallsBack calls_before(Instant at) const;
    /// Time off the CPU and time runnable within the interval.
    struct Absence {
        Duration off{};
        Duration runnable{};
    };
    [[nodiscard]] Absence absence(Interval interval) const;

    [[nodiscard]] ProcessId process() const { return process_; }
    /// Everything before this was dropped for want of room.
    [[nodiscard]] Instant known_since() const { return known_since_; }
    [[nodiscard]] const ThreadUse& use() const { return use_; }
    /// As it was when the latest call was entered.
    void use_before_call(ThreadUse& use) const;

private:
    void keep(const SocketCall& call);

    Ring<OffCpuSpan> off_;
    Ring<SocketCall> calls_;
    // Where the latest search ended: accounts are drawn long after, from one moment to the next.
    mutable std::size_t found_off_ = 0;
    mutable std::size_t found_call_ = 0;
    ThreadUse use_;
    request::CallTotals latest_;  ///< what the latest call added to its class; few ask, so it is taken off again for them
    ts_call_class latest_class_{};
    ProcessId process_{};
    Instant known_since_{};
};

class Timelines {
public:
    void on(const event::Call& call) { of(call.thread).on(call); }
    void on(const event::OffCpu& off) { of(off.thread).on(off); }
    void executed(const request::Exchange& exchange) {
        of(exchange.sent_by).executed(exchange.process, {exchange.sent, exchange.read_end}, exchange.socket);
    }
    void exited(ThreadId thread, Instant at);
    void forget(Instant before);
    /// Null: a thread that was never seen.
    [[nodiscard]] const ThreadTimeline* find(ThreadId thread) const;

private:
    ThreadTimeline& of(ThreadId thread);

    IdMap<ThreadId, std::unique_ptr<ThreadTimeline>> threads_;
    std::map<ThreadId, Instant> gone_;
};

}  // namespace timesink::attribute
