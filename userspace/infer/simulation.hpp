#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/id_map.hpp"
#include "base/ring.hpp"
#include "infer/chains.hpp"
#include "infer/hypothesis.hpp"
#include "infer/model.hpp"
#include "infer/names.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// Whose the statements of one event-loop thread are, by simulating its pools exactly: the longest waiter gets a connection that
/// is given back, before the owner of the reply goes on; nobody waits while a connection is idle; a response written in the
/// segment that read a reply is its owner's. What cannot be seen (who sleeps, who waits, who kept a connection) forks the
/// hypothesis; what is seen next weighs the forks.
///
/// Fed with segments in order; pure. Owned by attribute::LoopOwners, one per thread.
/// Bounded: kMostHypotheses, each of the units in flight; kLag statements that may still be undone; the model and the chains by
/// theirs.
class Simulation {
public:
    static constexpr std::size_t kMostHypotheses = 32;
    /// Against the best; hypotheses that are less likely are given up, but for a few that may save the day.
    static constexpr double kLeastWeight = 1e-3;
    static constexpr double kLeastWhereLate = 1e-4;  ///< late drivers: what they write is told apart later
    static constexpr double kLeastOfFew = 1e-7;
    static constexpr std::size_t kFew = 3;
    static constexpr std::size_t kMostAtOnce = 4 * kMostHypotheses;  ///< within a segment
    /// Copies of hypotheses that an act may cost in the long run, and so many may be saved up for hard times. A simulation that
    /// follows its loop makes less than one an act; one that has lost it, to which all ways look alike, 60 to 100, and nearly all
    /// that it says is ambiguous.
    static constexpr std::uint32_t kCopiesAnAct = 4;
    static constexpr std::uint32_t kMostSavedCopies = 1 << 16;
    static constexpr std::size_t kMostOfThePoor = 3;   ///< hypotheses, when all of that is spent
    static constexpr std::size_t kLag = 48;            ///< statements behind which what the best hypothesis says stands
    static constexpr double kLearnable = 0.97;         ///< what is learned from is at least this certain
    static constexpr std::uint32_t kTrustworthy = 12;  ///< so many responses foreseen in a row end a doubt
    static constexpr std::size_t kMostTokens = 4096;   ///< units in flight; beyond, nothing is inferred until it is quiet

    /// `model`: what is known of the program, and is learned here; not owned, must outlive this.
    explicit Simulation(Model& model) : model_(model) {}

    /// From now on.
    void told(Phases phases) { told_ = phases; }
    void on(const Segment& segment);
    void closed(SocketId connection);
    /// Events were lost, or these units began before we could see: what they do is not known, nor which connections are busy.
    void lost(std::span<const UnitId> in_flight);
    /// All was seen, but derailed(): what these units do is not known any more.
    void begin_anew(std::span<const UnitId> in_flight);
    /// Nothing is in flight.
    void quiet();
    /// What is seen has not been foreseen for a while, or was dear for too long: better to begin_anew().
    [[nodiscard]] bool derailed() const { return derailed_ || spent_; }
    void finish();

    /// Decided since the last call; in no order.
    std::vector<Verdict> take() { return chains_.take(); }

private:
    struct Connection {
        PoolId pool{};
        std::uint32_t in_flight = 0;
        bool transaction = false;
    };
    struct Pool {
        std::uint32_t open = 0;
        std::uint32_t busy = 0;
        bool waits = false;
        bool has_waited = false;  // else nobody is thought to wait
        bool pipelined = false;   // has had several statements on one connection
        bool late = false;        // Act::late
        bool was_late = false;    // at any time
    };
    struct Option {
        Slot slot = kNobody;
        Reason reason = Reason::unexplained;
        double probability = 0;
        Step step = Step::respond;
        PoolId pool{};
        bool woken = false;
        Instant from{};  // woken: between these
        Instant to{};
    };
    /// An option of one of the hypotheses, or (without) that nothing happens to it.
    struct Candidate {
        std::size_t hypothesis = 0;
        double weight = 0;
        bool changes = false;
        Option option;
    };
    /// Steps of a token, the latest first. A ring: what is overwritten is not learned.
    struct PathStep {
        std::uint32_t id = 0;
        std::uint32_t before = 0;
        Step step = Step::respond;
        bool delay_known = false;
        Duration least{};  // the delay
        Duration most{};
        History start;                  // of the first
        RouteId named = kUnknownRoute;  // ditto: Stimulus::named
    };

    /// What one or more hypotheses say of what will stand from now on.
    struct Past {
        Notes notes;
        double weight = 0;  // of them together
        double most = 0;    // of the likeliest of them
        std::vector<const Note*> listed;
        /// What is said of the thing that another's note is about; null: nothing.
        [[nodiscard]] const Note* counterpart(const Note& note) const;
    };

    /// The end of a turn, where timers fire that were due; only those in which timers did, where that is told.
    struct TurnEnd {
        Instant position;  // of its last segment: whoever began to wait in it comes before the timers
        Instant earliest;  // a timer that fired then was not due before
        Instant due;       // nor after
    };
    struct Wake {
        double probability = 0;
        Instant from{};
        Instant to{};
        bool any = false;  // turns have ended
    };
    /// What was asked last: hypotheses ask the same.
    struct TurnsAsked {
        Instant from{};
        Instant to{};
        Wake answer;
        bool known = false;
    };
    /// Sleepers of one past, of whom some may have woken.
    struct Kind {
        std::uint64_t history = 0;
        Slot best = kNobody;
        double best_wakes = 0;
        double none = 1;
        const Delays* delays = nullptr;
    };

    void end_turns(const Segment& segment);
    Wake turns_in(Instant from, Instant to);
    [[nodiscard]] double wakes(const Token& token, const Wake& turns, const Delays* delays) const;
    [[nodiscard]] Wake wakes(const Token& token, Instant from, Instant to);
    void read(Hypothesis& hypothesis, const Segment& segment);
    void statement(const Segment& segment, const Act& act);
    void statement_options(Hypothesis& hypothesis, const Segment& segment, const Act& act);
    double free_connection_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, Slot freed, double unseen);
    [[nodiscard]] double asks_as_expected(const Hypothesis& hypothesis, const Hypothesis::Waiting& waiting, const Act& act) const;
    void waiting_options(Hypothesis& hypothesis, const Act& act, double factor);
    double kept_options(Hypothesis& hypothesis, const Act& act, Slot freed);
    void writing_options(Hypothesis& hypothesis, const Act& act);
    void in_order_of_asking(const Hypothesis& hypothesis, std::size_t first);
    bool continuing_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, double factor);
    [[nodiscard]] double issues_now(const Token& token, PoolId id) const;
    double sleeper_options(const Hypothesis& hypothesis, const Act& act, Instant from, Instant to, double factor);
    [[nodiscard]] Instant wakes_since(const Segment& segment, bool late = false) const;
    void issue(Hypothesis& hypothesis, const Act& act, const Option& option, const Segment& segment);
    bool serve(Hypothesis& hypothesis, Note& note, Slot slot, const Act& act);
    void extend(Hypothesis& hypothesis, Slot slot, Shape shape);
    void note_manner(Hypothesis& hypothesis, Note& note, const Option& option, const Act& act, const Segment& segment);
    void wake(Hypothesis& hypothesis, Slot slot, const Option& option, ExchangeId first);
    void connect(const Act& act);
    void connect_options(const Hypothesis& hypothesis);
    void response(const Segment& segment, const Act& act);
    void response_options(const Hypothesis& hypothesis, const Segment& segment, UnitId unit);
    bool foresees(const Segment& segment, const Act& act);
    void judge(bool foreseen);
    // unseen.cpp:
    [[nodiscard]] static std::size_t in_sight(const Hypothesis& hypothesis);
    [[nodiscard]] double comes_unseen(Hypothesis& hypothesis, PoolId pool) const;
    [[nodiscard]] double asked_by_unseen(const Act& act) const;
    [[nodiscard]] double sleeps_instead(const Token& token) const;
    static void release_phantoms(Hypothesis& hypothesis, PoolId pool, Slot served);
    [[nodiscard]] static Hypothesis::Habit habit_of_unseen(const Token& token);
    void issue_unknown(Hypothesis& hypothesis, const Act& act, Note note);
    Slot answered_unseen(Hypothesis& hypothesis, const Stimulus& stimulus);
    void respond_unseen();
    static void sleep(Hypothesis& hypothesis, Slot slot, Instant at);
    void respond(Hypothesis& hypothesis, const Act& act, const Option& option);
    void abandon(const Act& act);
    void close_segment(const Segment& segment);
    void continuation_options(Hypothesis& hypothesis, Slot slot, const Segment& segment);
    double puts_off(Hypothesis& hypothesis, const Token& token, const Segment& segment, bool late) const;
    void nothing_written_options(Hypothesis& hypothesis, Slot slot, const Segment& segment);
    void go_on(Hypothesis& hypothesis, Slot slot, const Option& option, Instant at);
    void close_list(Hypothesis& hypothesis, Slot slot, Instant at);
    [[nodiscard]] bool order_tells(const Hypothesis& hypothesis, const Segment& segment, const Act& act) const;
    double deferred_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, double factor);
    void end_turn(Hypothesis& hypothesis, Instant at) const;
    void conserve(Hypothesis& hypothesis, Instant at) const;
    template <typename Options, typename Apply>
    void fork(Options options, Apply apply);
    void drop_hopeless();
    void earn();
    void spend();
    [[nodiscard]] double least_weight() const { return any_late_ ? kLeastWhereLate : kLeastWeight; }
    [[nodiscard]] std::size_t width() const { return poor_ ? kMostOfThePoor : kMostHypotheses; }
    void prune();
    void sort_by_weight();
    void give_up_last();
    void give_up_hopeless();
    void merge_equal();
    void commit(std::size_t keep);
    void gather_pasts(std::uint64_t until);
    void weigh(Note& note) const;
    void stand(Note& note);
    void learn_manner(const Note& note);
    void learn_name(Note& note);
    void tell_name(Shape name, const Stimulus& answer);
    [[nodiscard]] Act named(Act act);
    void learn(std::uint32_t path);
    std::uint32_t step(std::uint32_t path, Step step);
    std::uint32_t slept(std::uint32_t path, Duration least, Duration most, bool delay_known);
    std::uint32_t start_path(const History& history, RouteId named = kUnknownRoute);
    [[nodiscard]] double extends(const Token& token, Shape shape);
    [[nodiscard]] Shape meant(const Hypothesis& hypothesis, const Token& token, const Act& act) const;
    [[nodiscard]] double begins(const Hypothesis& hypothesis, const Token& token, const Act& act) const;
    [[nodiscard]] bool idle(PoolId id) const {
        const auto index = static_cast<std::size_t>(id);
        return index < pools_.size() && pools_[index].open > pools_[index].busy;
    }
    [[nodiscard]] bool idle(const Hypothesis& hypothesis, PoolId pool) const;
    void give(Hypothesis& hypothesis, PoolId pool) const;
    [[nodiscard]] double asked_before(const Hypothesis& hypothesis, PoolId pool, Instant given) const;
    Pool& pool(PoolId id);
    void note_facts(const Segment& segment);
    void sent(const Act& act);
    [[nodiscard]] Slot freed_by(const Hypothesis& hypothesis, const Segment& segment, SocketId connection) const;

    Model& model_;
    Chains chains_;
    IdMap<SocketId, Connection> connections_;
    std::vector<Pool> pools_;
    std::vector<Hypothesis> hypotheses_ = std::vector<Hypothesis>(1);
    std::vector<Hypothesis> spare_;  // given up: their memory is used again
    std::vector<Option> options_;
    std::vector<Candidate> candidates_;
    std::vector<double> weights_;
    std::vector<Kind> kinds_;
    std::vector<std::size_t> order_;
    std::vector<Hypothesis> sorted_;
    std::vector<Past> pasts_;
    std::vector<Shape> prefix_;
    std::vector<Hypothesis::Waiting> more_;
    std::vector<PathStep> paths_ = std::vector<PathStep>(1 << 15);
    std::uint32_t next_path_ = 0;
    Names names_;
    std::vector<UnitId> unseen_;  // in flight when events were lost, not ended yet
    bool in_doubt_ = true;        // until it has been quiet: who was in flight at the attach is not known
    bool any_late_ = false;       // a pool is
    bool derailed_ = false;
    std::uint32_t saved_copies_ = kMostSavedCopies;
    bool spent_ = false;                              // all of them, and nothing was given up for it yet
    bool poor_ = false;                               // until it has been quiet, or a share of them is saved again
    std::uint32_t foreseen_ = ~std::uint32_t{0};      // of the latest responses, a bit each
    std::uint32_t foreseen_in_a_row_ = kTrustworthy;  // since the doubt began, at most
    Ring<TurnEnd> turn_ends_;
    TurnsAsked turns_asked_;
    Phases told_;
    Instant immediates_at_{};         // position of the latest segment but this in which immediates ran
    bool immediate_was_set_ = false;  // since the latest ran, where that is told: by timers, at the end of a turn, for the next
    Instant now_{};                   // position of this segment
    Instant turn_begin_{};            // of its turn
    std::uint64_t serial_ = 0;        // of what is seen: acts, and the ends of segments
};

}  // namespace timesink::infer
