#include <algorithm>
#include <numeric>

#include "infer/simulation.hpp"

// Which hypotheses live on, and what of theirs stands.

namespace timesink::infer {

void Simulation::earn() {
    constexpr std::uint32_t kEnoughAgain = kMostSavedCopies / 4;
    saved_copies_ = std::min(saved_copies_ + kCopiesAnAct, kMostSavedCopies);
    poor_ = poor_ && saved_copies_ < kEnoughAgain;
}

/// What few hypotheses agree on is no more certain for their being few: whoever becomes poor is in doubt.
void Simulation::spend() {
    saved_copies_ -= std::min<std::uint32_t>(saved_copies_, 1);
    spent_ = spent_ || (saved_copies_ == 0 && !poor_);
    poor_ = poor_ || saved_copies_ == 0;
}

void Simulation::prune() {
    // Equal ones are mostly equal for a while: looking for them costs more than carrying them along.
    constexpr std::uint64_t kMergeEvery = 8;
    if (hypotheses_.size() > 1) {
        if (hypotheses_.size() > width() / 2 || serial_ % kMergeEvery == 0) {
            merge_equal();
        }
        sort_by_weight();
        const double best = hypotheses_.front().weight;
        while (hypotheses_.size() > width() ||
               hypotheses_.back().weight < best * (hypotheses_.size() > kFew ? least_weight() : kLeastOfFew)) {
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

/// The heaviest first. They are large, so each is moved once.
void Simulation::sort_by_weight() {
    const auto heavier = [](const Hypothesis& a, const Hypothesis& b) { return a.weight > b.weight; };
    if (std::is_sorted(hypotheses_.begin(), hypotheses_.end(), heavier)) {
        return;
    }
    order_.resize(hypotheses_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return heavier(hypotheses_[a], hypotheses_[b]); });
    sorted_.clear();
    for (const std::size_t index : order_) {
        sorted_.push_back(std::move(hypotheses_[index]));
    }
    hypotheses_.swap(sorted_);
}

void Simulation::give_up_last() {
    if (spare_.size() < kMostAtOnce) {
        hypotheses_.back().notes.clear();
        spare_.push_back(std::move(hypotheses_.back()));
    }
    hypotheses_.pop_back();
}

/// Those that were given a negative weight.
void Simulation::give_up_hopeless() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < hypotheses_.size(); ++i) {
        if (hypotheses_[i].weight >= 0) {
            if (kept != i) {
                std::swap(hypotheses_[kept], hypotheses_[i]);
            }
            ++kept;
        }
    }
    while (hypotheses_.size() > kept) {
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

/// What hypotheses say of what will stand from now on; of those that say the same of all of it, once.
void Simulation::gather_pasts(std::uint64_t until) {
    pasts_.clear();
    for (const Hypothesis& hypothesis : hypotheses_) {
        Notes notes = hypothesis.notes.until(until);
        const auto same = std::find_if(pasts_.begin(), pasts_.end(), [&](const Past& each) { return each.notes.is(notes); });
        if (same == pasts_.end()) {
            Past& past = pasts_.emplace_back(Past{std::move(notes), hypothesis.weight, hypothesis.weight, {}});
            past.notes.list(past.listed);
        } else {
            same->weight += hypothesis.weight;
            same->most = std::max(same->most, hypothesis.weight);
        }
    }
}

const Note* Simulation::Past::counterpart(const Note& note) const {
    auto at = std::partition_point(listed.begin(), listed.end(), [&](const Note* each) { return each->serial < note.serial; });
    for (; at != listed.end() && (*at)->serial == note.serial; ++at) {
        if ((*at)->is_about(note)) {
            return *at;
        }
    }
    return nullptr;
}

/// The probability of what the best hypothesis says, over all of them.
void Simulation::weigh(Note& note) const {
    double probability = 0;
    for (const Past& past : pasts_) {
        const Note* const same = past.counterpart(note);
        if (same == nullptr) {
            continue;
        }
        if (same->chain == note.chain) {
            probability += past.weight * same->probability;
        } else if (past.most * same->probability > note.runner_up_probability) {
            note.runner_up = same->chain;
            note.runner_up_probability = past.most * same->probability;
        }
    }
    note.probability = probability;
}

/// Whether it was put off counts by the share of the hypotheses that say so: those that cannot be told apart are one by now,
/// which knows nothing of it.
void Simulation::learn_manner(const Note& note) {
    if (in_doubt_ || note.probability < kLearnable || note.defer == Told::nothing) {
        return;
    }
    if (note.defer == Told::either) {
        model_.learn_may_defer(note.sender);
        return;
    }
    double put_off = 0;
    double direct = 0;
    for (const Past& past : pasts_) {
        const Note* const same = past.counterpart(note);
        if (same != nullptr && same->chain == note.chain && same->defer != Told::nothing) {
            (same->defer == Told::yes ? put_off : direct) += past.weight;
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
    const Notes& notes = hypotheses_.front().notes;
    if (notes.empty() || notes.size() < keep + kLag / 4 * (keep > 0 ? 1 : 0)) {
        return;
    }
    const std::uint64_t until = notes.serial(keep);
    gather_pasts(until);
    for (const Note* const told : pasts_.front().listed) {
        Note note = *told;
        if (hypotheses_.size() > 1) {
            weigh(note);
        }
        stand(note);
    }
    for (Hypothesis& hypothesis : hypotheses_) {
        hypothesis.notes.forget(until);
    }
    pasts_.clear();
}

void Simulation::stand(Note& note) {
    if (note.name != Shape{}) {
        learn_name(note);
    }
    chains_.on(note);
    for (const Chains::Slept& slept : chains_.take_slept()) {
        if (!in_doubt_) {
            model_.learn_delay(slept.before, slept.least, slept.most);
        }
    }
    if (note.probability >= kLearnable && note.hold != Told::nothing && !in_doubt_) {
        model_.learn_hold(note.history, note.hold == Told::yes, 1);
    }
    learn_manner(note);
    if (note.kind == Note::Kind::response && note.agrees && note.probability >= kLearnable && !in_doubt_) {
        learn(note.path);
    }
}

void Simulation::quiet() {
    commit(0);
    const Hypothesis& known = hypotheses_.front();
    const bool empty = known.flights.empty() && known.tokens.find([](const Token&) { return true; }) == kNobody;
    if (!empty) {
        hypotheses_.assign(1, Hypothesis{});
    }
    unseen_.clear();
    in_doubt_ = derailed_ = spent_ = poor_ = false;
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
    if (history.route == kUnknownRoute) {
        return;  // what is known of those is learned from the others
    }
    const bool whole = history == History::begin(history.route);
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
