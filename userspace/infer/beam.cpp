#include <algorithm>

#include "infer/simulation.hpp"

// Which hypotheses live on, and what of theirs stands.

namespace timesink::infer {

void Simulation::prune() {
    // Equal ones are mostly equal for a while: looking for them costs more than carrying them along.
    constexpr std::uint64_t kMergeEvery = 4;
    if (hypotheses_.size() > 1) {
        if (hypotheses_.size() > kMostHypotheses / 2 || serial_ % kMergeEvery == 0) {
            merge_equal();
        }
        const auto heavier = [](const Hypothesis& a, const Hypothesis& b) { return a.weight > b.weight; };
        if (!std::is_sorted(hypotheses_.begin(), hypotheses_.end(), heavier)) {
            std::stable_sort(hypotheses_.begin(), hypotheses_.end(), heavier);
        }
        const double best = hypotheses_.front().weight;
        while (hypotheses_.size() > kMostHypotheses ||
               hypotheses_.back().weight < best * (hypotheses_.size() > kFew ? kLeastWeight : kLeastOfFew)) {
            give_up_last();
        }
    }
    double sum = 0;
    for (const Hypothesis& hypothesis : hypotheses_) {
        sum += hypothesis.weight;
    }
    for (Hypothesis& hypothesis : hypotheses_) {
        hypothesis.weight = sum > 0 ? hypothesis.weight / sum : 1.0 / static_cast<double>(hypotheses_.size());
    }
    commit(hypotheses_.size() > 1 ? kLag : 0);
}

void Simulation::give_up_last() {
    if (spare_.size() < kMostHypotheses) {
        spare_.push_back(std::move(hypotheses_.back()));
    }
    hypotheses_.pop_back();
}

/// Those that were given a negative weight.
void Simulation::give_up_hopeless() {
    const auto given_up =
        std::stable_partition(hypotheses_.begin(), hypotheses_.end(), [](const Hypothesis& each) { return each.weight >= 0; });
    for (auto left = hypotheses_.end() - given_up; left > 0; --left) {
        give_up_last();
    }
}

/// Hypotheses that expect the same of the future are one.
void Simulation::merge_equal() {
    struct Seen {
        std::uint64_t state;
        std::size_t index;
    };
    std::vector<Seen> seen;
    for (std::size_t i = 0; i < hypotheses_.size(); ++i) {
        const std::uint64_t state = hypotheses_[i].state();
        const auto same = std::find_if(seen.begin(), seen.end(), [&](const Seen& each) { return each.state == state; });
        if (same == seen.end()) {
            seen.push_back({state, i});
            continue;
        }
        Hypothesis* into = &hypotheses_[same->index];
        if (into->weight < hypotheses_[i].weight) {
            std::swap(*into, hypotheses_[i]);
        }
        into->unite(hypotheses_[i]);
        hypotheses_[i].weight = -1;
    }
    give_up_hopeless();
}

/// The probability of what the best hypothesis says, over all of them.
void Simulation::weigh(Hypothesis::Note& note) const {
    double probability = 0;
    for (const Hypothesis& hypothesis : hypotheses_) {
        const Hypothesis::Note* const same = hypothesis.counterpart(note);
        if (same == nullptr) {
            continue;
        }
        if (same->chain == note.chain) {
            probability += hypothesis.weight * same->probability;
        } else if (hypothesis.weight * same->probability > note.runner_up_probability) {
            note.runner_up = same->chain;
            note.runner_up_probability = hypothesis.weight * same->probability;
        }
    }
    note.probability = probability;
}

/// Whether it was put off counts by the share of the hypotheses that say so: those that cannot be told apart are one by now,
/// which knows nothing of it.
void Simulation::learn_manner(const Hypothesis::Note& note) {
    if (in_doubt_ || note.probability < kLearnable || note.defer == Hypothesis::Told::nothing) {
        return;
    }
    if (note.defer == Hypothesis::Told::either) {
        model_.learn_may_defer(note.sender);
        return;
    }
    double put_off = 0;
    double direct = 0;
    for (const Hypothesis& hypothesis : hypotheses_) {
        const Hypothesis::Note* const same = hypothesis.counterpart(note);
        if (same != nullptr && same->chain == note.chain && same->defer != Hypothesis::Told::nothing) {
            (same->defer == Hypothesis::Told::yes ? put_off : direct) += hypothesis.weight;
        }
    }
    if (std::max(put_off, direct) >= kLearnable) {
        model_.learn_defer(note.sender, put_off > direct, 1);
    }
}

/// What is further back than `keep` notes of the best hypothesis stands.
void Simulation::commit(std::size_t keep) {
    const auto best = std::max_element(hypotheses_.begin(), hypotheses_.end(),
                                       [](const Hypothesis& a, const Hypothesis& b) { return a.weight < b.weight; });
    std::swap(*best, hypotheses_.front());
    std::vector<Hypothesis::Note>& notes = hypotheses_.front().notes;
    if (notes.empty() || notes.size() < keep + kLag / 4 * (keep > 0 ? 1 : 0)) {
        return;
    }
    const std::uint64_t until = notes[notes.size() - keep - 1].serial;
    for (Hypothesis::Note& note : notes) {
        if (note.serial > until) {
            break;
        }
        if (hypotheses_.size() > 1) {
            weigh(note);
        }
        if (note.name != Shape{}) {
            learn_name(note);
        }
        chains_.on(note);
        for (const Chains::Slept& slept : chains_.take_slept()) {
            if (!in_doubt_) {
                model_.learn_delay(slept.before, slept.least, slept.most);
            }
        }
        if (note.probability >= kLearnable && note.hold != Hypothesis::Told::nothing && !in_doubt_) {
            model_.learn_hold(note.history, note.hold == Hypothesis::Told::yes, 1);
        }
        learn_manner(note);
        if (note.kind == Hypothesis::Note::Kind::response && note.agrees && note.probability >= kLearnable && !in_doubt_) {
            learn(note.path);
        }
    }
    for (Hypothesis& hypothesis : hypotheses_) {
        std::erase_if(hypothesis.notes, [&](const Hypothesis::Note& each) { return each.serial <= until; });
    }
}

void Simulation::lost(std::span<const UnitId> in_flight) {
    commit(0);
    chains_.give_up();
    hypotheses_.assign(1, Hypothesis{});
    connections_ = {};
    pools_.clear();
    unseen_.assign(in_flight.begin(), in_flight.end());
    in_doubt_ = true;
    derailed_ = false;
    foreseen_ = 0xaaaaaaaa;  // as many as not: neither trusted nor derailed
    chains_.doubt(true);
}

void Simulation::quiet() {
    commit(0);
    const Hypothesis& known = hypotheses_.front();
    const bool empty = known.flights.empty() && std::all_of(known.tokens.begin(), known.tokens.end(),
                                                            [](const Token& token) { return token.state == Token::State::free; });
    if (!empty) {
        hypotheses_.assign(1, Hypothesis{});
    }
    unseen_.clear();
    in_doubt_ = derailed_ = false;
    foreseen_ = ~std::uint32_t{0};
    chains_.doubt(false);
    chains_.give_up();
}

void Simulation::finish() {
    commit(0);
    chains_.give_up();
}

std::uint32_t Simulation::start_path(const History& history, RouteId named) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {};
    slot.id = next_path_;
    slot.start = history;
    slot.named = named;
    return next_path_;
}

std::uint32_t Simulation::step(std::uint32_t path, Step step) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {.id = next_path_, .before = path, .step = step};
    return next_path_;
}

std::uint32_t Simulation::slept(std::uint32_t path, Duration least, Duration most, bool delay_known) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {.id = next_path_, .before = path, .step = Step::sleep, .delay_known = delay_known, .least = least, .most = most};
    return next_path_;
}

void Simulation::learn(std::uint32_t path) {
    constexpr std::size_t kLongest = 1024;
    std::vector<const PathStep*> steps;
    for (std::uint32_t at = path; at != 0 && steps.size() < kLongest;) {
        const PathStep& known = paths_[at % paths_.size()];
        if (known.id != at) {
            return;
        }
        steps.push_back(&known);
        at = known.before;
    }
    if (steps.empty() || steps.back()->before != 0) {
        return;
    }
    History history = steps.back()->start;
    const bool whole = history == History::begin(history.route) && history.route != kUnknownRoute;
    std::vector<Step> taken;
    std::vector<KnownPath::Slept> slept;
    for (auto at = steps.rbegin() + 1; at != steps.rend(); ++at) {
        const PathStep& step = **at;
        if (step.delay_known) {
            slept.push_back({static_cast<std::uint32_t>(taken.size()), step.least, step.most});
        }
        taken.push_back(step.step);
    }
    if (whole) {
        model_.learn_path(history.route, taken, slept, steps.back()->named);
        return;
    }
    // From a hidden wake on.
    for (std::size_t i = 0; i < taken.size(); ++i) {
        model_.learn(history, taken[i], 1);
        for (const KnownPath::Slept& each : slept) {
            if (each.part == i) {
                model_.learn_delay(history, each.least, each.most);
            }
        }
        history = history.then(taken[i]);
    }
}

}  // namespace timesink::infer
