#include "infer/model.hpp"

#include <algorithm>
#include <cmath>

namespace timesink::infer {

namespace {

/// The weight of the level below against one observation: small, for programs repeat themselves.
constexpr double kBackOff = 0.3;

// What a step is worth of which nothing is known at all.
constexpr double kBaseRespond = 0.2;
constexpr double kBaseSleep = 0.1;
constexpr double kBaseJoin = 0.2;
constexpr double kBaseIssue = 0.5;

/// Until contended traffic has told: connections are mostly given back behind each statement.
constexpr double kHeldPrior = 0.15;
constexpr double kReleasedPrior = 0.35;

/// Few programs put an immediate before a statement.
constexpr double kDeferredPrior = 0.02;
constexpr double kDirectPrior = 0.48;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    std::uint64_t hash = (a ^ (b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccd;
    return hash ^ (hash >> 32);
}

std::uint64_t value(Step step) {
    return static_cast<std::uint64_t>(step);
}

// What is asked of a history: of which kind the rest of the question is.
constexpr std::uint64_t kOfStep = 1;
constexpr std::uint64_t kOfPrefix = 2;
constexpr std::uint64_t kOfPool = 3;
constexpr std::uint64_t kOfList = 4;
constexpr std::uint64_t kOfHolding = 5;
constexpr std::uint64_t kOfDeferring = 6;
constexpr std::uint64_t kOfDeferringLate = 7;

constexpr double kShortestNs = 32'000;
constexpr double kBinsPerOctave = 4;

/// What a unit is like that did the same last, of which no more is known.
History of_any_route(const History& history) {
    return {kUnknownRoute, 0, history.last, history.before};
}

/// Of two things that exclude each other; what the broader level says counts as half an observation.
void outweigh(double& yes, double& no, float counted, float against) {
    const double sum = yes + no;
    yes = yes / sum / 2 + counted;
    no = no / sum / 2 + against;
}

}  // namespace

History History::begin(RouteId route) {
    const Step before = route == kUnknownRoute ? Step::not_seen : Step::respond;
    return {route, mix(0x7265717565737421, static_cast<std::uint64_t>(route)), before, before};
}

History History::then(Step step) const {
    return {route, mix(all, value(step) + 1), step, last};
}

/// In bins, of which the first begins at zero.
double Delays::place_of(Duration delay) {
    const auto nanoseconds = static_cast<double>(to_ns(delay));
    return nanoseconds <= kShortestNs ? std::max(nanoseconds, 0.0) / kShortestNs
                                      : 1 + std::log2(nanoseconds / kShortestNs) * kBinsPerOctave;
}

/// A timer's clock counts milliseconds: where in them it was set is as good as random, so what it took is spread evenly.
void Delays::add(Duration least, Duration most) {
    constexpr int kPoints = 5;
    constexpr Duration kLongest = std::chrono::hours(1);
    least = std::clamp(least, Duration{}, kLongest);
    most = std::clamp(most, least, kLongest);
    for (int i = 0; i < kPoints; ++i) {
        const Duration delay = least + (most - least) * (2 * i + 1) / (2 * kPoints);
        add(std::min(kBins - 1, static_cast<std::size_t>(place_of(delay))), 1.0F / kPoints);
    }
    total_ += 1;
    summed_ = false;
}

void Delays::add(std::size_t bin, float weight) {
    counts_[bin] += 0.8F * weight;
    counts_[bin > 0 ? bin - 1 : 0] += 0.1F * weight;
    counts_[std::min(bin + 1, kBins - 1)] += 0.1F * weight;
    constexpr std::size_t kBlur = 8;
    for (std::size_t away = 0; away <= kBlur; ++away) {
        const float share = weight * static_cast<float>(kBlur + 1 - away) / static_cast<float>((kBlur + 1) * (kBlur + 1));
        broad_[std::min(bin + away, kBins - 1)] += share;
        if (away > 0) {
            broad_[bin > away ? bin - away : 0] += share;
        }
    }
}

double Delays::at_most(Duration delay) const {
    if (delay <= Duration{}) {
        return 0;
    }
    for (std::size_t bin = 0; !summed_ && bin < kBins; ++bin) {
        sharp_[bin + 1] = sharp_[bin] + counts_[bin];
        blurred_[bin + 1] = blurred_[bin] + broad_[bin];
    }
    summed_ = true;
    const double place = place_of(delay);
    constexpr double kBroad = 2;  // samples that the blurred ones are worth
    constexpr double kAny = 0.5;  // ditto, of any length: two timers of which one took 3 ms and one 5 say little of a third
    const std::size_t whole = std::min(static_cast<std::size_t>(place), kBins);
    const double part = place - static_cast<double>(whole);
    const double sharp = sharp_[whole] + (whole < kBins ? counts_[whole] * part : 0);
    const double broad = blurred_[whole] + (whole < kBins ? broad_[whole] * part : 0);
    const double any = std::min(1.0, place / static_cast<double>(kBins));
    return (sharp + kBroad * broad / total_ + kAny * any) / (total_ + kBroad + kAny);
}

double Delays::wakes_within(Duration from, Duration to) const {
    const double before = at_most(from);
    const double within = at_most(to) - before;
    constexpr double kUnheardOf = 0.01;  // of any length
    return std::clamp((within + kUnheardOf * 0.1) / (1 - before + kUnheardOf), 0.0, 1.0);
}

Step Model::list(std::span<const Shape> shapes) {
    std::uint64_t hash = shapes.size();
    for (const Shape shape : shapes) {
        hash = mix(hash, static_cast<std::uint64_t>(shape));
    }
    const auto found = list_of_.find(hash);
    if (found != list_of_.end()) {
        return found->second;
    }
    if (lists_.size() >= kMostLists) {
        return static_cast<Step>(value(Step::first_list) + kMostLists - 1);
    }
    ++terms_;
    lists_.emplace_back(shapes.begin(), shapes.end());
    const auto placed = shapes.empty() ? pools_.end() : pools_.find(shapes.front());
    first_pools_.push_back(placed != pools_.end() ? placed->second : kNoPool);
    const auto step = static_cast<Step>(value(Step::first_list) + lists_.size() - 1);
    list_of_.emplace(hash, step);
    return step;
}

std::span<const Shape> Model::shapes(Step list) const {
    const std::uint64_t index = value(list) - value(Step::first_list);
    return list < Step::first_list || index >= lists_.size() ? std::span<const Shape>{} : std::span<const Shape>{lists_[index]};
}

void Model::place(Shape shape, PoolId pool) {
    if (pools_.size() < kMostContexts) {
        terms_ += pools_.try_emplace(shape, pool).second ? 1 : 0;
    }
}

bool Model::touches(Step list, PoolId pool) const {
    const std::span<const Shape> all = shapes(list);
    return std::any_of(all.begin(), all.end(), [&](Shape shape) {
        const auto placed = pools_.find(shape);
        return placed != pools_.end() && placed->second == pool;
    });
}

/// Whole, last two steps, route; of an unknown one: last two, last, any.
Model::Keys Model::keys_of(const History& history) {
    const auto route = static_cast<std::uint64_t>(history.route);
    const std::uint64_t last = mix(route + 1, value(history.last) + 1);
    const std::uint64_t last_two = mix(last, value(history.before) + 1);
    const std::uint64_t any = mix(0x726f757465, route);
    return history.route == kUnknownRoute ? Keys{last_two, last, any} : Keys{history.all, last_two, any};
}

Model::Context* Model::make(std::uint64_t key) {
    if (Context* const known = contexts_.find(ContextKey{key})) {
        return known;
    }
    return contexts_.size() >= kMostContexts ? nullptr : &contexts_[ContextKey{key}];
}

bool Model::is_of_manners(std::uint64_t question) {
    return question >= kOfHolding && question <= kOfDeferringLate;
}

template <typename Compute>
double Model::answer(const History& history, std::uint64_t question, Compute compute) const {
    const std::uint64_t key = mix(history.all, question);
    const std::size_t route = static_cast<std::size_t>(history.route) % kVersions;
    const std::uint64_t version =
        is_of_manners(question) ? mix(manners_[route] + 1, versions_[route]) : mix(terms_, versions_[route]);
    Answer& known = answers_[key % kAnswers];
    if (known.question != key || known.version != version) {
        known = {key, version, compute()};
    }
    return known.value;
}

void Model::learn(const History& history, Step step, double weight) {
    constexpr float kMostWeight = 400;  // beyond, the past is forgotten by halves: code is deployed anew
    if (history.route != kUnknownRoute) {
        learn(of_any_route(history), step, weight);
    }
    for (const std::uint64_t key : keys_of(history)) {
        Context* const context = make(key);
        if (context == nullptr) {
            continue;
        }
        const auto known =
            std::find_if(context->steps.begin(), context->steps.end(), [&](const Count& count) { return count.step == step; });
        Count& count = known != context->steps.end() ? *known : context->steps.emplace_back(Count{step, 0});
        const float change = std::max(static_cast<float>(weight), -count.weight);
        count.weight += change;
        context->total = std::max(context->total + change, 0.0F);
        if (context->total > kMostWeight) {
            context->total = 0;
            for (Count& each : context->steps) {
                each.weight /= 2;
                context->total += each.weight;
            }
        }
    }
    ++learned_;
    ++version_of(history.route);
}

void Model::learn_delay(const History& before_sleep, Duration least, Duration most) {
    if (delays_.size() < kMostContexts / 16 || delays_.contains(before_sleep.all)) {
        delays_[before_sleep.all].add(least, most);
    }
    const std::uint64_t route = keys_of(before_sleep)[2];
    if (delays_.size() < kMostContexts / 16 || delays_.contains(route)) {
        delays_[route].add(least, most);
    }
}

const Delays* Model::delays(const History& before_sleep) const {
    auto found = delays_.find(before_sleep.all);
    if (found == delays_.end()) {
        found = delays_.find(keys_of(before_sleep)[2]);
    }
    return found == delays_.end() ? nullptr : &found->second;
}

void Model::learn_hold(const History& history, bool held, double weight) {
    if (history.route != kUnknownRoute) {
        learn_hold(of_any_route(history), held, weight);
    }
    for (const std::uint64_t key : keys_of(history)) {
        if (Context* const context = make(key)) {
            (held ? context->held : context->released) += static_cast<float>(weight);
        }
    }
    ++manners_of(history.route);
}

void Model::learn_defer(const History& history, bool deferred, double weight) {
    for (const std::uint64_t key : keys_of(history)) {
        if (Context* const context = make(key)) {
            (deferred ? context->deferred : context->direct) += static_cast<float>(weight);
        }
    }
    ++manners_of(history.route);
}

void Model::learn_may_defer(const History& history) {
    const Keys keys = keys_of(history);
    for (const std::uint64_t key : std::span(keys).first(2)) {
        Context* const context = make(key);
        if (context != nullptr && context->deferred + context->direct < 1) {
            context->may_defer = 1;
        }
    }
    ++manners_of(history.route);
}

double Model::holds(const History& history) const {
    return answer(history, kOfHolding, [&] {
        double yes = kHeldPrior;
        double no = kReleasedPrior;
        const Keys keys = keys_of(history);
        for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
            if (const Context* const at = context(*key)) {
                outweigh(yes, no, at->held, at->released);
            }
        }
        return yes / (yes + no);
    });
}

double Model::defers(const History& history, bool late) const {
    return answer(history, late ? kOfDeferringLate : kOfDeferring, [&] {
        double yes = kDeferredPrior;
        double no = kDirectPrior;
        // Not by route: one step of it that comes late says nothing about the others.
        const Keys keys = keys_of(history);
        for (const std::uint64_t key : {keys[1], keys[0]}) {
            if (const Context* const at = context(key)) {
                const float either = late ? 0 : at->may_defer;
                outweigh(yes, no, at->deferred + either, at->direct + either);
            }
        }
        return yes / (yes + no);
    });
}

template <typename WeightOf>
double Model::blend(const History& history, double base, WeightOf weight_of) const {
    double probability = base;
    const Keys keys = keys_of(history);
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
        if (const Context* const at = context(*key)) {
            probability = (weight_of(*at) + kBackOff * probability) / (at->total + kBackOff);
        }
    }
    return probability;
}

double Model::probability(const History& history, Step step) const {
    const double base = step == Step::respond ? kBaseRespond
                        : step == Step::sleep ? kBaseSleep
                        : step == Step::join  ? kBaseJoin
                                              : kBaseIssue / static_cast<double>(lists_.size() + 1);
    return answer(history, mix(kOfStep, value(step)), [&] {
        return blend(history, base, [&](const Context& at) {
            const auto known =
                std::find_if(at.steps.begin(), at.steps.end(), [&](const Count& count) { return count.step == step; });
            return known != at.steps.end() ? static_cast<double>(known->weight) : 0.0;
        });
    });
}

double Model::begins(const History& history, std::span<const Shape> prefix) const {
    std::uint64_t question = kOfPrefix;
    for (const Shape shape : prefix) {
        question = mix(question, static_cast<std::uint64_t>(shape));
    }
    return answer(history, question, [&] {
        return blend(history, kBaseIssue / static_cast<double>(pools_.size() + 1), [&](const Context& at) {
            double sum = 0;
            for (const Count& count : at.steps) {
                const std::span<const Shape> list = shapes(count.step);
                if (list.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), list.begin())) {
                    sum += count.weight;
                }
            }
            return sum;
        });
    });
}

double Model::issues(const History& history, PoolId pool) const {
    return answer(history, mix(kOfPool, static_cast<std::uint64_t>(pool)), [&] {
        return blend(history, kBaseIssue, [&](const Context& at) {
            double sum = 0;
            for (const Count& count : at.steps) {
                const std::uint64_t index = value(count.step) - value(Step::first_list);
                if (count.step >= Step::first_list && index < first_pools_.size() && first_pools_[index] == pool) {
                    sum += count.weight;
                }
            }
            return sum;
        });
    });
}

Step Model::likeliest(const History& history, std::span<const Shape> prefix) {
    std::uint64_t question = kOfList;
    for (const Shape shape : prefix) {
        question = mix(question, static_cast<std::uint64_t>(shape));
    }
    return static_cast<Step>(static_cast<std::uint32_t>(
        answer(history, question, [&] { return static_cast<double>(value(likeliest_of(history, prefix))); })));
}

Step Model::likeliest_of(const History& history, std::span<const Shape> prefix) {
    for (const std::uint64_t key : keys_of(history)) {
        const Context* const at = context(key);
        const Count* best = nullptr;
        for (std::size_t i = 0; at != nullptr && i < at->steps.size(); ++i) {
            const Count& count = at->steps[i];
            const std::span<const Shape> list = shapes(count.step);
            const bool fits = list.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), list.begin());
            if (fits && !prefix.empty() && (best == nullptr || count.weight > best->weight)) {
                best = &count;
            }
        }
        if (best != nullptr) {
            return best->step;
        }
    }
    return list(prefix);
}

std::size_t Model::expected(const History& history, PoolId pool) const {
    for (const std::uint64_t key : keys_of(history)) {
        const Context* const at = context(key);
        float most = 0;
        std::size_t statements = 0;
        for (std::size_t i = 0; at != nullptr && i < at->steps.size(); ++i) {
            const Count& count = at->steps[i];
            const std::uint64_t index = value(count.step) - value(Step::first_list);
            if (count.step >= Step::first_list && index < lists_.size() && first_pools_[index] == pool && count.weight > most) {
                most = count.weight;
                statements = lists_[index].size();
            }
        }
        if (statements > 0) {
            return statements;
        }
    }
    return 1;
}

Shape Model::next(const History& history, std::span<const Shape> prefix, PoolId pool) const {
    constexpr float kLikely = 0.3F;
    for (const std::uint64_t key : keys_of(history)) {
        const Context* const at = context(key);
        Shape best{};
        float most = at != nullptr ? kLikely * at->total : 0;
        for (std::size_t i = 0; at != nullptr && i < at->steps.size(); ++i) {
            const Count& count = at->steps[i];
            const std::span<const Shape> list = shapes(count.step);
            const bool fits = list.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), list.begin());
            const auto placed = fits ? pools_.find(list[prefix.size()]) : pools_.end();
            if (placed != pools_.end() && placed->second == pool && count.weight > most) {
                best = list[prefix.size()];
                most = count.weight;
            }
        }
        if (best != Shape{}) {
            return best;
        }
    }
    return {};
}

bool Model::knows(RouteId route) const {
    return context(keys_of(History::begin(route))[2]) != nullptr;
}

}  // namespace timesink::infer
