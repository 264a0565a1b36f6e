#pragma once

#include <cstdint>
#include <vector>

#include "infer/model.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// A stretch of a unit's work that is known to hang together: from its request, or from a hidden wake that one of several
/// sleepers had, to its response or to the next such wake. Even: a request's unit id, twice; odd: of the exchange that a wake
/// sent first.
enum class Chain : std::uint64_t {};
constexpr Chain chain_of(UnitId unit) {
    return static_cast<Chain>(number(unit) * 2);
}
constexpr Chain chain_of(ExchangeId first) {
    return static_cast<Chain>(number(first) * 2 + 1);
}

using Slot = std::uint16_t;
constexpr Slot kNobody = 0xffff;

/// A unit in flight, as a hypothesis sees it.
struct Token {
    enum class State : std::uint8_t { free, running, waiting, deferred, sleeping };
    State state = State::free;
    bool virtually = false;   ///< woke as one of several equal sleepers: `unit` is a name it may have to exchange
    bool blurred = false;     ///< an equal sleeper has woken: ditto
    bool doubted = false;     ///< a statement that nobody explains may have been its
    bool carried_on = false;  ///< executed in this segment what was prepared: that is no step
    Chain chain{};
    UnitId unit{};
    History history;
    History before_sleep;
    Step issued = Step::respond;  ///< what it has written in this segment; respond: nothing
    std::uint16_t outstanding = 0;
    std::uint32_t path = 0;  ///< the steps it has taken
    Instant since{};         ///< sleeping: went to sleep; deferred: when it was put off
};

/// One way in which all that was seen may have come about. Copied when it forks; everything in it is small.
/// Invariants: every slot named in `queue`, `flights`, `held` and `stimulated` is in use, or kNobody.
struct Hypothesis {
    enum class Told : std::uint8_t { nothing, yes, no, either };
    struct Waiting {
        Slot slot = kNobody;
        PoolId pool{};
        Instant position{};          ///< since when
        Shape shape{};               ///< zero: whatever its history lets expect
        Instant given{};             ///< has a connection since, on which its driver will write at the end of the turn
        Told defer = Told::nothing;  ///< it had put off wanting a connection to the end of the turn
        std::uint16_t grants = 0;    ///< late drivers: so many connections, for a list that is asked at once
    };
    struct Flight {
        ExchangeId exchange{};
        Slot slot = kNobody;
    };
    /// A connection that waits for its owner: in a transaction, or being connected.
    struct Held {
        SocketId connection{};
        Slot slot = kNobody;
        bool connecting = false;
        Shape prepared{};  ///< what will be executed on it; zero: anything
    };
    /// What units of a route did with connections for which others waited, when they had more to ask.
    struct Habit {
        RouteId route{};
        std::uint16_t kept = 0;
        std::uint16_t given_back = 0;
    };
    /// Whether those of this past put off what they want to the end of the turn, where that was open: code is written one way.
    struct Manner {
        std::uint64_t past = 0;
        std::uint16_t put_off = 0;
        std::uint16_t direct = 0;
    };
    /// What a name was taken for that a connection has for a statement: every time it is the same.
    struct Named {
        SocketId connection{};
        Shape name{};
        Shape meaning{};
    };
    /// What was decided and may still be undone.
    struct Note {
        enum class Kind : std::uint8_t { statement, response, sleep, wake };
        Kind kind = Kind::statement;
        Reason reason = Reason::unexplained;
        bool agrees = true;          ///< response: the chain's unit is the one that responded
        Told hold = Told::nothing;   ///< statement: whoever had the connection before kept it
        Told defer = Told::nothing;  ///< statement: it came at the end of the turn only
        std::uint64_t serial = 0;    ///< of what was seen; never falls
        Chain chain{};
        double probability = 1;  ///< within this hypothesis
        Chain runner_up{};
        double runner_up_probability = 0;
        ExchangeId exchange{};
        ExchangeId cause{};
        UnitId unit{};
        std::uint32_t path = 0;
        SocketId connection{};       ///< statement: nameless
        Shape name{};                ///< ditto: its name on its connection
        Shape meant{};               ///< ditto: for what it is taken
        History history;             ///< statement: of whom `hold` tells; sleep: ahead of it
        History sender;              ///< statement: its sender's ahead of it, where `defer` tells
        std::uint64_t sleepers = 0;  ///< sleep, wake: which sleepers are equal
        const Delays* delays = nullptr;
        Instant from{};  ///< sleep: since; wake: not before
        Instant to{};    ///< wake: not after
    };

    double weight = 1;
    std::vector<Token> tokens;
    std::vector<Waiting> queue;  ///< the longest waiting first
    std::vector<Flight> flights;
    std::vector<Held> held;
    std::vector<Slot> deferred;     ///< tokens that go on at the end of the turn, in order
    std::vector<Slot> stimulated;   ///< of this segment's stimuli, in order
    std::vector<Instant> position;  ///< by pool: when the last one that was served had begun to wait
    std::vector<Note> notes;        ///< by serial
    std::vector<Habit> habits;
    std::vector<Manner> manners;  ///< at most kMostManners, the oldest goes
    std::vector<Named> names;     ///< that are not known in all hypotheses; at most kMostNames, the oldest goes
    std::uint32_t sleeping = 0;   ///< tokens that sleep
    Slot writing = kNobody;       ///< whose statement was the latest in this segment
    bool wrote_awoken = false;    ///< and it was a sleeper's

    Slot add(const Token& token);
    void release(Slot slot);
    [[nodiscard]] Slot of_unit(UnitId unit) const;
    [[nodiscard]] Slot holder(SocketId connection) const;
    void unhold(SocketId connection);
    /// Index in `queue`; queue.size(): nobody waits.
    [[nodiscard]] std::size_t head(PoolId pool) const;
    [[nodiscard]] Instant& served(PoolId pool);
    [[nodiscard]] Habit& habit(RouteId route);
    static constexpr std::size_t kMostManners = 128;
    [[nodiscard]] Manner& manner(const History& history);
    static constexpr std::size_t kMostNames = 256;
    /// Zero: it was taken for nothing yet.
    [[nodiscard]] Shape named(Shape name) const;
    /// Another name of the connection was taken for it.
    [[nodiscard]] bool means(SocketId connection, Shape meaning, Shape but) const;
    void take_name(SocketId connection, Shape name, Shape meaning);
    void forget_name(Shape name);
    void sleep(Slot slot, Instant at);
    /// What it says of the thing that another's note is about; null: nothing.
    [[nodiscard]] const Note* counterpart(const Note& note) const;
    /// Takes in another of the same state. Where their pasts differ, each claim counts by its share.
    void unite(const Hypothesis& other);
    /// Of what decides about the future: equal hypotheses are one.
    [[nodiscard]] std::uint64_t state() const;
};

}  // namespace timesink::infer
