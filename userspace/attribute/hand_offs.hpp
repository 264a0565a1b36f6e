#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "attribute/live_unit.hpp"
#include "attribute/owners.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

/// Owners of what helper threads send while several units are in flight: evidence `inferred`, by who woke whom.
///
/// A helper is a thread that serves no unit itself. What it sends is tied to a unit at two ends:
///  - *left*: it was waiting for work and was woken by a thread that served this unit (or was made by it);
///  - *right*: after the reply it woke the thread that serves this unit, which had been waiting, or it wrote the unit's response.
///
///   left       | right              | which of the calls between                              | margin
///   -----------+--------------------+---------------------------------------------------------+-------
///   not others | wrote the response | all                                                     | 0.95
///   this unit  | this unit, at once | the last, and those before it on the same connection    | 0.95
///   not known  | this unit, at once | the last                                                | 0.85
///   anything else: a pool that is busy takes its next task without a wake-up, and no one need wait for the end of a task:
///   ambiguous
///
/// A helper that waits in epoll for its replies is an event loop, and works for many at once (asyncio's behind the threads of
/// grpc): that it wrote a response says nothing of what it sent before.
///
/// *At once*: the helper executed for at most kFinishing between the reply and the wake-up; a task without any call that came
/// between would have to be shorter than that. A thread that sends at once after it was woken may have waited for a connection of
/// a pool that the helper gave back, rather than for its result: a wake-up like that is no right end. The left end
/// alone is not enough: another helper may have taken the task before the one that was woken for it got there (measured: 5 of 11
/// such calls were another's).
///
/// Only wake-ups out of futex waits by futex calls (or by a thread's end) count, and only at words that are no lock that everyone
/// takes: where several threads wait while they serve units and others while they serve none (the GIL), a wake-up says nothing.
/// In CPython each wait for a result has a word of its own and a queue has one for its helpers; in Java each thread has its own.
/// Not by the wake-up alone: behind the GIL most wake-ups are between threads that have nothing to do with each other.
class HandOffs {
public:
    static constexpr std::size_t kMostWaiting = 4096;  ///< of one process; beyond, the oldest are ambiguous
    static constexpr std::size_t kMostKept = 128;      ///< of one thread's past
    static constexpr std::size_t kMostGone = 4096;     ///< threads that have ended, and are not forgotten yet
    static constexpr Duration kFinishing = std::chrono::microseconds(100);
    static constexpr Duration kTakingAConnection = std::chrono::microseconds(500);
    static constexpr std::size_t kMostWords = 1U << 16U;  ///< beyond, what is known of them is learned again

    struct Decision {
        ExchangeId exchange{};
        Owner owner;
    };

    /// `serving`: who serves which unit now.
    void on(const event::OffCpu& off, const Owners& serving);
    void on(const event::Task& task, const Owners& serving);
    /// Whether the end of that wait says who works for whom. After on() of it.
    [[nodiscard]] bool tells(const event::OffCpu& off) const;
    void began(const LiveUnit& live);
    /// Appends what this decides: at the latest when all units that were in flight when an exchange was sent have ended.
    void ended(const LiveUnit& live, const Timelines& timelines, std::vector<Decision>& decisions);
    /// Of every exchange, before sent().
    void saw(const request::Exchange& exchange);
    /// Sent by a helper while units were in flight: a decision will come.
    void sent(const request::Exchange& exchange, std::vector<Decision>& decisions);
    void answered(const request::Exchange& exchange);
    /// Events were lost: who woke whom since is not known.
    void lost();
    void finish(std::vector<Decision>& decisions);

private:
    enum class Kind : std::uint8_t { woken, sent, woke, wrote };
    /// What a thread did, in order of time.
    struct Step {
        Instant at{};
        Kind kind{};
        UnitId unit{};          // of woken, woke, wrote; zero: not known
        std::uint64_t word{};   // waited at; zero: none was needed
        Instant since{};        // of woke: the other waited since
        ThreadId other{};       // of woke
        ExchangeId exchange{};  // of sent
        SocketId socket{};      // of sent
        Instant arrived{};      // of sent: its reply; zero: not yet
        Instant read{};         // of sent: its reply, to the end
    };
    struct Word {
        ThreadId waiter{};
        bool several = false;
        bool by_serving = false;
        bool by_helpers = false;
    };
    struct Waiting {
        ExchangeId exchange{};
        ThreadId thread{};
        Instant sent{};
    };
    struct InProcess {
        std::set<std::pair<Instant, UnitId>> active;
        std::vector<Waiting> waiting;  // in order of sending
    };

    void note(ThreadId thread, const Step& step);
    void note_loop(ThreadId thread);
    void forget_gone();
    [[nodiscard]] bool tells(std::uint64_t word) const;
    [[nodiscard]] bool sends_at_once(const Step& woke, const Timelines& timelines) const;
    [[nodiscard]] UnitId left_of(const std::deque<Step>& past, std::size_t at) const;
    [[nodiscard]] double margin(const Waiting& waiting, UnitId unit, const Timelines& timelines) const;

    std::map<ThreadId, std::deque<Step>> past_;
    std::set<ThreadId> loops_;    // helpers that wait in epoll while what they sent is not answered
    std::vector<ThreadId> gone_;  // their past may still be asked for
    std::map<std::uint64_t, Word> words_;
    std::map<ProcessId, InProcess> processes_;
};

}  // namespace timesink::attribute
