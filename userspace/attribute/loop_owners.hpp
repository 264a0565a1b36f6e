#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "attribute/account.hpp"
#include "attribute/live_unit.hpp"
#include "attribute/loop_program.hpp"
#include "attribute/owners.hpp"
#include "attribute/run_queue.hpp"
#include "attribute/strangers.hpp"
#include "base/id_map.hpp"
#include "event/event.hpp"
#include "infer/simulation.hpp"

namespace timesink::attribute {

/// Owners on event-loop threads whose runtime tells nothing (Node.js and others): cuts what each thread does into segments, has
/// infer::Simulation find whose each is, and hands its verdicts on as decisions. Evidence `inferred` from a margin of kCertain
/// on, else `ambiguous`.
///
/// Most threads that serve are no loops, and a simulation is dear:
///
///   a thread is | once it                                                                     | its turns are
///   ------------+-----------------------------------------------------------------------------+----------------------------
///   unknown     | begins its first unit                                                       | held, kMostHeld at most
///   a loop      | was blocked in epoll without a unit that waits for an answer, has two units | given to a simulation, and
///               | in flight, tells its phases, or sends what its thread does not tell; for    | before them those held
///               | good                                                                        |
///   one by one  | was blocked kMostReads times in a read for what its only unit had asked for | not cut: it has an owner for
///               | (or, when there is no more room, kMostPolls in poll or epoll), and nothing  | all that it sends
///               | of those                                                                    |
///
/// An exchange waits for its verdict until its unit has responded and a little longer; horizon() says how far accounts may be
/// drawn. Bounded: kMostWaiting exchanges a thread, none longer than kLongestWait.
class LoopOwners {
public:
    static constexpr double kCertain = 0.9;
    static constexpr std::size_t kMostWaiting = 16384;
    static constexpr Duration kLongestWait = std::chrono::seconds(20);
    static constexpr std::size_t kMostHeld = 256;
    static constexpr std::uint32_t kMostReads = 8;
    static constexpr std::uint32_t kMostPolls = 8;

    struct Decision {
        ExchangeId exchange{};
        Owner owner;
    };

    /// What other runs learned, before anything else is told; null: nothing.
    void given(std::shared_ptr<const std::vector<RouteModel>> models) { given_ = std::move(models); }
    /// What program a process runs: the loops of those that run the same learn together. From its first request on it counts no
    /// more.
    void runs(ProcessId process, std::string program);
    /// What was learned.
    [[nodiscard]] std::vector<RouteModel> models() const;

    /// Before the messages of the call are told.
    void on(const event::Call& call);
    void on(const event::OffCpu& off);
    void on(const event::LoopPhase& phase);
    /// The phases of the event loops of a process will be told from now on.
    void tells_phases(ProcessId process, infer::Phases phases);
    void began(const request::Unit& unit);
    void ended(const request::Unit& unit);
    /// True: a decision will come. `owner`: what the thread tells; what it read last may tell better (Strangers).
    bool sent(const request::Exchange& exchange, const Owner& owner);
    void answered(const request::Exchange& exchange);
    void lost();
    void exited(ThreadId thread);
    /// The thread's messages may be incomplete.
    void lost(ThreadId thread);
    /// What the process's threads do is no loop's doing.
    void lost(ProcessId process);
    void advance(Instant at);
    void finish();
    /// Units that ended later may still get exchanges.
    [[nodiscard]] Instant horizon() const;

    std::vector<Decision> take();
    /// Threads that have one, which takes 3 MB.
    [[nodiscard]] std::size_t simulations() const;

private:
    /// How the driver of a pool writes: at once, or at the end of the turn only (postgres.js gathers its writes in an immediate).
    /// Twice is enough: by the time of the sixteenth a pool that is saturated from the start has been lost.
    struct Manner {
        std::uint32_t direct = 0;
        std::uint32_t late = 0;
        [[nodiscard]] bool is_late() const { return late >= 2 && std::uint64_t{direct} * 20 < late; }
    };
    struct Waiting {
        ExchangeId exchange{};
        Instant sent{};
    };
    /// A turn, for a simulation that may be made later.
    struct Held {
        std::vector<SocketId> closed;  // before its end
        std::vector<infer::Segment> turn;
        std::vector<UnitId> active;  // behind it
        bool at_rest = false;        // ditto
        bool lost = false;           // no turn, but a loss
    };
    enum class Kind : std::uint8_t { unknown, loop, one_by_one };
    /// One thread that serves.
    struct Loop {
        explicit Loop(LoopProgram& of) : program(of) {}
        LoopProgram& program;
        Kind kind = Kind::unknown;
        std::unique_ptr<infer::Simulation> simulation;  // of a loop
        std::vector<Held> held;                         // while it is unknown
        std::vector<SocketId> closed;                   // ditto, since the last of these
        std::uint32_t reads = 0;                        // ditto: what it was blocked in for its only unit
        std::uint32_t polls_blocked = 0;
        infer::Segment segment;
        std::vector<infer::Segment> turn;  // the segments before it in this turn
        std::map<infer::PoolId, Manner> manners;
        RunQueue queue;
        Strangers strangers;
        bool waits_for_many = false;   // was seen blocked in epoll, not for its only unit: a loop, however few are in flight
        std::vector<UnitId> active;    // in the order of their begins
        UnitId newest{};               // of those that have begun
        std::size_t in_flight = 0;     // exchanges
        bool connects = false;         // its unit does, or did, and has asked nothing since
        std::vector<Waiting> waiting;  // in order of sending; decided ones have no exchange
        Instant latest{};              // exit of the latest call
        Instant went_to_wait{};        // since then; zero: not seen to
        Instant waited_until{};
        std::uint32_t polls = 0;  // since the latest record of a call, as far as told
        bool turn_ended = false;  // and that has been told
        ProcessId process{};
    };

    void close_segment(Loop& loop, bool last, Instant end = {});
    void end_turn(Loop& loop, Instant at);
    [[nodiscard]] bool runs_queue(Loop& loop) const;
    void simulate(Loop& loop, std::span<const UnitId> active, bool at_rest);
    void hold(Loop& loop, Held&& turn);
    void is_loop(Loop& loop, Instant at);
    static bool waits_for_its_only_unit(const Loop& loop);
    static void blocked(Loop& loop, const event::OffCpu& off);
    static void serves_one_by_one(Loop& loop);
    void conclude(Loop& loop);
    void forget(const Loop& loop);
    void give_up(Loop& loop, std::span<const UnitId> active);
    static void learn_manners(Loop& loop);
    static void mark_late(Loop& loop);
    void collect(Loop& loop);
    LoopProgram& program_of(ProcessId process);
    infer::Sender sender_of(Loop& loop, const infer::Act& act, const Owner& owner) const;

    std::shared_ptr<const std::vector<RouteModel>> given_;
    std::map<std::string, LoopProgram> programs_;  // they stay where they are
    std::map<ProcessId, std::string> program_names_;
    // By thread: gone through when time passes, so in order.
    std::map<ThreadId, std::unique_ptr<Loop>> loops_;
    IdMap<ThreadId, Loop*> by_thread_;
    IdMap<ProcessId, infer::Phases> phases_;
    IdMap<ExchangeId, Loop*> sent_on_;
    IdMap<UnitId, Loop*> runs_on_;
    std::vector<Decision> decisions_;
};

}  // namespace timesink::attribute
