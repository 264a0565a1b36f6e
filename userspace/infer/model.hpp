#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/id_map.hpp"
#include "infer/families.hpp"
#include "infer/paths.hpp"
#include "infer/segment.hpp"

namespace timesink::infer {

/// What has never been seen may happen all the same; and what is divided by is not 0.
inline constexpr double kLeastProbability = 1e-9;

/// What a unit did next, as far as it is seen: a list of statements issued at once, or one of the others.
enum class Step : std::uint32_t {
    respond = 0,
    sleep = 1,  ///< nothing, with nothing outstanding: a hidden wait
    join = 2,   ///< nothing, for others of its replies are outstanding
    first_list = 3,
    not_seen = 0xffffffff,  ///< whatever units did whose begin was not seen
};

/// All that a unit has done. `all` hashes its whole past, the others its last steps. Of kUnknownRoute: since it was first seen.
struct History {
    RouteId route{};
    std::uint64_t all = 0;
    Step last = Step::respond;
    Step before = Step::respond;
    [[nodiscard]] History then(Step step) const;
    static History begin(RouteId route);
    friend bool operator==(const History&, const History&) = default;
};

/// How long hidden waits take: a histogram over quarters of octaves from 32 µs, smoothed.
class Delays {
public:
    /// A wait that took between these.
    void add(Duration least, Duration most);
    /// Of the waits that took longer than `from` (negative: all), the share that took at most `to`. 0…1.
    [[nodiscard]] double wakes_within(Duration from, Duration to) const;
    [[nodiscard]] bool known() const { return total_ > 0; }

private:
    static constexpr std::size_t kBins = 88;
    using Sums = std::array<double, kBins + 1>;
    static double place_of(Duration delay);
    void add(std::size_t bin, float weight);
    [[nodiscard]] double at_most(Duration delay) const;
    std::array<float, kBins> counts_{};
    std::array<float, kBins> broad_{};  // the same, blurred by two octaves: what few samples say of others
    mutable Sums sharp_{};              // of all bins before, as of `summed_`
    mutable Sums blurred_{};
    mutable bool summed_ = false;
    float total_ = 0;
};

/// What units of each route do next: P(step | whole history), backed off to the last two steps and to the route. Learned from
/// whole units whose every exchange was certain. Shared by the loops of one program. Of kUnknownRoute: P(step | last two steps,
/// of units of whatever route).
///
/// Bounded: at most kMostContexts histories; what does not fit is not learned, and predicted from what is.
/// Not a state machine per route: code branches on data, and what matters is only what may come next.
class Model {
public:
    static constexpr std::size_t kMostContexts = 65536;
    static constexpr std::size_t kMostLists = 4096;

    /// The list of these shapes as a step; lists beyond kMostLists share one.
    Step list(std::span<const Shape> shapes);
    [[nodiscard]] std::span<const Shape> shapes(Step list) const;

    /// `weight` below zero: takes back what was learned.
    void learn(const History& history, Step step, double weight);
    /// A unit went this way from request to response. `named`: the route that its request named, where `route` is the family
    /// that this one stands for.
    void learn_path(RouteId route, const std::vector<Step>& steps, const std::vector<KnownPath::Slept>& slept,
                    RouteId named = kUnknownRoute);
    [[nodiscard]] Families& families() { return families_; }
    /// What another run learned of the route, ahead of anything that this one shows: counts as sixteen units of this one at most,
    /// and is taken back once most units go other ways.
    void give(RouteId route, const std::vector<KnownPath>& paths);
    [[nodiscard]] const Paths& paths() const { return paths_; }
    void learn_delay(const History& before_sleep, Duration least, Duration most);
    void learn_hold(const History& history, bool held, double weight);
    void learn_defer(const History& history, bool deferred, double weight);
    /// An immediate was set before it wrote, whosoever: as likely as not, until there is better evidence.
    void learn_may_defer(const History& history);

    /// P(step | history).
    [[nodiscard]] double probability(const History& history, Step step) const;
    /// P(a list that begins so | history).
    [[nodiscard]] double begins(const History& history, std::span<const Shape> prefix) const;
    /// P(any list that begins in this pool | history).
    [[nodiscard]] double issues(const History& history, PoolId pool) const;
    /// The likeliest list with this prefix; where none is known, the prefix itself.
    [[nodiscard]] Step likeliest(const History& history, std::span<const Shape> prefix);
    /// How many statements the likeliest list has that begins in this pool; 1 where none is known.
    [[nodiscard]] std::size_t expected(const History& history, PoolId pool) const;
    /// The shape that most likely follows this prefix, in this pool; zero: none is likely.
    [[nodiscard]] Shape next(const History& history, std::span<const Shape> prefix, PoolId pool) const;
    /// P(the connection whose reply was read stays with its owner | history).
    [[nodiscard]] double holds(const History& history) const;
    /// P(it puts off what it asks next to the end of the turn, by an immediate | history). `late`: of a driver that sets
    /// immediates itself whenever it writes, so that one that was set says nothing of the unit.
    [[nodiscard]] double defers(const History& history, bool late = false) const;
    /// Of the wait that begins now; null: nothing known.
    [[nodiscard]] const Delays* delays(const History& before_sleep) const;
    /// Which pool a shape goes to must be told before it is used in a list.
    void place(Shape shape, PoolId pool);
    /// That any of these statements goes to the pool.
    [[nodiscard]] bool touches(Step list, PoolId pool) const;
    [[nodiscard]] std::uint64_t learned() const { return learned_; }
    [[nodiscard]] bool knows(RouteId route) const;

private:
    static constexpr PoolId kNoPool{0xffffffff};
    struct Count {
        Step step{};
        float weight = 0;
    };
    struct Context {
        std::vector<Count> steps;
        float total = 0;
        float held = 0;
        float released = 0;
        float deferred = 0;
        float direct = 0;
        float may_defer = 0;  // 1: an immediate was set before it wrote, by whomsoever
    };
    struct Given {
        std::vector<KnownPath> paths;  // times: the weight that they were given
        std::uint32_t fits = 0;        // units of this run that went one of these ways
        std::uint32_t differs = 0;
    };
    void learn_steps(RouteId route, std::span<const Step> steps, double weight);
    void learn_slept(RouteId route, std::span<const Step> steps, const std::vector<KnownPath::Slept>& slept);
    void learn_family(RouteId family);
    void judge_given(RouteId route, const std::vector<Step>& steps);
    using Keys = std::array<std::uint64_t, 3>;  // the most special one first
    static Keys keys_of(const History& history);
    enum class ContextKey : std::uint64_t {};
    /// What was asked before, of one route; it stands until something is learned of that. Hypotheses ask the same.
    struct Answer {
        std::uint64_t question = 0;
        std::uint64_t version = 0;
        double value = 0;
    };
    static constexpr std::size_t kAnswers = 4096;
    static constexpr std::size_t kVersions = 256;
    [[nodiscard]] const Context* context(std::uint64_t key) const { return contexts_.find(ContextKey{key}); }
    Context* make(std::uint64_t key);
    [[nodiscard]] Step likeliest_of(const History& history, std::span<const Shape> prefix);
    [[nodiscard]] std::uint64_t& version_of(RouteId route) { return versions_[static_cast<std::size_t>(route) % kVersions]; }
    [[nodiscard]] std::uint64_t& manners_of(RouteId route) { return manners_[static_cast<std::size_t>(route) % kVersions]; }
    /// `compute` unless that was asked before.
    template <typename Compute>
    [[nodiscard]] double answer(const History& history, std::uint64_t question, Compute compute) const;
    [[nodiscard]] static bool is_of_manners(std::uint64_t question);
    /// Blends what `weight_of` finds at each level, the most special one first in weight.
    template <typename WeightOf>
    [[nodiscard]] double blend(const History& history, double base, WeightOf weight_of) const;

    IdMap<ContextKey, Context> contexts_;
    std::unordered_map<std::uint64_t, Delays> delays_;  // asked by key only, never gone through; they stay where they are
    mutable std::vector<Answer> answers_ = std::vector<Answer>(kAnswers);
    std::array<std::uint64_t, kVersions> versions_{};  // by route, of what is learned of its steps
    std::array<std::uint64_t, kVersions> manners_{};   // ditto, of what it holds and puts off
    std::uint64_t terms_ = 1;                          // of lists and pools, which questions are about
    std::vector<std::vector<Shape>> lists_;
    std::vector<PoolId> first_pools_;  // of each list's first shape; kNoPool: not known
    std::unordered_map<std::uint64_t, Step> list_of_;
    std::unordered_map<Shape, PoolId> pools_;
    std::uint64_t learned_ = 0;
    Paths paths_;
    std::map<RouteId, Given> given_;
    Families families_;
};

}  // namespace timesink::infer
