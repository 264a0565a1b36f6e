#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "infer/hypothesis.hpp"

namespace timesink::infer {

/// The second stage: which unit each chain belongs to. Chains that begin with a request or end with a response are anchored;
/// those in between, from one hidden wake to the next sleep, are matched by how long sleeps take. Fed with what the simulation
/// will not undo any more, in order. Owned by a Simulation.
class Chains {
public:
    /// Between these it is known well enough how long a sleep took: as good as the timers' own clock.
    static constexpr Duration kNarrow = std::chrono::microseconds(1200);
    /// How long a sleep took whose both ends were found.
    struct Slept {
        History before;
        Duration least{};
        Duration most{};
    };
    static constexpr std::size_t kMostChains = 8192;  ///< that wait for their unit; beyond, all that wait are given up

    void began(UnitId unit);
    void on(const Hypothesis::Note& note);
    /// A response was, or was not, the one that the simulation expected, at the time when it was written.
    void foresaw(bool right);
    /// What some statements are is not seen but learned: a response that is not foreseen may tell of one that was learned wrong.
    void names_are_learned() { names_are_learned_ = true; }
    /// The order in which statements are asked is a late driver's, as far as is known now: a response that is not foreseen tells
    /// of more than its own unit.
    void late_driver(bool late) { late_driver_ = late; }
    /// Ended without a response.
    void abandoned(UnitId unit);
    /// What is known is doubtful: for a while nothing is certain enough to be told.
    void doubt(bool in_doubt) { in_doubt_ = in_doubt; }
    /// Nothing more will come for what waits.
    void give_up();

    std::vector<Verdict> take();
    std::vector<Slept> take_slept();

private:
    struct Statement {
        ExchangeId exchange{};
        double probability = 0;
        Chain runner_up{};
        double runner_up_probability = 0;
        Reason reason = Reason::unexplained;
        ExchangeId cause{};
        std::uint64_t responses = 0;  // that had been seen
    };
    /// When a sleep began, or in which time a wake must have been.
    struct Sleep {
        std::uint64_t kind = 0;  // of equal sleepers; zero: none
        Instant from{};
        Instant to{};
        const Delays* delays = nullptr;
        History before;
    };
    struct Record {
        Sleep woke;    // begins with a wake
        Sleep sleeps;  // ends, so far, with a sleep
        std::vector<Statement> statements;
    };
    /// A unit that has responded, of which chains in between are missing.
    struct Open {
        UnitId unit{};
        Sleep sleeps;  // the last that is known from its begin on
        Sleep woke;    // the wake that led to the response
    };
    struct Row {
        UnitId unit{};
        const Sleep* sleeps = nullptr;
        const Sleep* woke = nullptr;  // null: has not responded yet
    };
    struct Column {
        Chain chain{};
        Record* record = nullptr;
    };

    /// To whom it is linked, and how surely.
    struct Link {
        UnitId unit{};
        double share = 0;
        UnitId runner_up{};
        double runner_up_share = 0;
        bool exhaustive = false;         // nobody else can be meant
        std::vector<UnitId> candidates;  // besides these two
    };
    void decide(Record& record, const Link& link);
    void respond(const Hypothesis::Note& note);
    void match(std::uint64_t kind, std::size_t keep);
    static void scale(std::vector<double>& share, std::size_t columns, std::size_t responded);
    void settle(const std::vector<Row>& rows, std::vector<Column>& columns, const std::vector<double>& share,
                std::size_t final_rows);
    static double likelihood(const Row& row, const Record& middle);
    void learn(const Sleep& slept, const Sleep& woke);
    [[nodiscard]] double rate(std::uint64_t until) const;
    [[nodiscard]] double trust(std::uint64_t responses) const;

    std::map<Chain, Record> records_;
    std::map<std::uint64_t, std::vector<Open>> open_;  // by the kind of sleep that is to be followed
    std::vector<Verdict> verdicts_;
    std::vector<Slept> slept_;
    std::uint64_t responses_ = 0;          // so far
    std::deque<std::uint64_t> surprises_;  // of the latest kMostSurprises that were not foreseen: `responses_` then
    bool in_doubt_ = true;
    bool names_are_learned_ = false;
    bool late_driver_ = false;
};

}  // namespace timesink::infer
