#pragma once

#include <cstdint>
#include <vector>

#include "infer/model.hpp"
#include "infer/notes.hpp"
#include "infer/segment.hpp"
#include "infer/tokens.hpp"

namespace timesink::infer {

/// One way in which all that was seen may have come about. Copied when it forks; everything in it is small.
/// Invariants: every slot named in `queues`, `flights`, `held` and `stimulated` is in use, or kNobody.
struct Hypothesis {
    using Told = infer::Told;
    using Note = infer::Note;
    struct Waiting {
        Slot slot = kNobody;
        std::uint16_t grants = 0;    ///< late drivers: so many connections, for a list that is asked at once
        Told defer = Told::nothing;  ///< it had put off wanting a connection to the end of the turn
        Instant position{};          ///< since when
        Shape shape{};               ///< zero: whatever its history lets expect
        Instant given{};             ///< has a connection since, on which its driver will write at the end of the turn
    };
    /// For a connection of one pool; the longest waiting first.
    using Queue = std::vector<Waiting>;
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
    double weight = 1;
    Tokens tokens;
    std::vector<Queue> queues;  ///< by pool
    std::vector<Flight> flights;
    std::vector<Held> held;
    std::vector<Slot> deferred;     ///< tokens that go on at the end of the turn, in order
    std::vector<Slot> stimulated;   ///< of this segment's stimuli, in order
    std::vector<Instant> position;  ///< by pool: when the last one that was served had begun to wait
    Notes notes;                    ///< by serial
    std::vector<Habit> habits;
    std::vector<Manner> manners;  ///< at most kMostManners, the oldest goes
    std::vector<Named> names;     ///< that are not known in all hypotheses; at most kMostNames, the oldest goes
    std::vector<Slot> sleepers;   ///< tokens that sleep, by slot
    std::vector<Slot> writers;    ///< tokens that began a list in this segment, by slot: some have ended since
    Slot writing = kNobody;       ///< whose statement was the latest in this segment
    bool wrote_awoken = false;    ///< and it was a sleeper's
    Slot responds = kNobody;      ///< whose unit the response is of that is looked at

    void release(Slot slot);
    [[nodiscard]] Slot of_unit(UnitId unit) const;
    [[nodiscard]] Slot holder(SocketId connection) const;
    void unhold(SocketId connection);
    [[nodiscard]] Queue& queue(PoolId pool);
    /// Whoever waits longest; null: nobody waits.
    [[nodiscard]] const Waiting* head(PoolId pool) const;
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
    void wake(Slot slot);
    /// Takes in another of the same state. Where their pasts differ, each claim counts by its share.
    void unite(const Hypothesis& other);
    /// Of what decides about the future: equal hypotheses are one.
    [[nodiscard]] std::uint64_t state() const;
};

}  // namespace timesink::infer
