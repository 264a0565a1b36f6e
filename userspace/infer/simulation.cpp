#include "infer/simulation.hpp"

#include <algorithm>
#include <cassert>

namespace timesink::infer {

namespace {

/// Against the best; hypotheses that are less likely are given up.
constexpr double kLeastWeight = 1e-7;

/// A path is learned when its statements are this certain.
constexpr double kLearnable = 0.97;

constexpr std::uint32_t kResponsesToTrust = 12;

/// What one hypothesis says of the thing that another's note is about; null: nothing.
const Hypothesis::Note* counterpart(const Hypothesis& hypothesis, const Hypothesis::Note& note) {
    auto at = std::partition_point(hypothesis.notes.begin(), hypothesis.notes.end(),
                                   [&](const Hypothesis::Note& each) { return each.serial < note.serial; });
    for (; at != hypothesis.notes.end() && at->serial == note.serial; ++at) {
        if (at->kind == note.kind && at->exchange == note.exchange && at->unit == note.unit) {
            return &*at;
        }
    }
    return nullptr;
}

/// Where their pasts differ, each claim counts by its share.
void unite(Hypothesis& into, const Hypothesis& other) {
    const double share = into.weight / (into.weight + other.weight);
    for (Hypothesis::Note& ours : into.notes) {
        const Hypothesis::Note* const theirs = counterpart(other, ours);
        if (theirs != nullptr && ours.chain == theirs->chain) {
            ours.probability = share * ours.probability + (1 - share) * theirs->probability;
            continue;
        }
        ours.runner_up_probability *= share;
        if (theirs != nullptr && (1 - share) * theirs->probability > ours.runner_up_probability) {
            ours.runner_up = theirs->chain;
            ours.runner_up_probability = (1 - share) * theirs->probability;
        }
        ours.probability *= share;
    }
}

}  // namespace

Simulation::Pool& Simulation::pool(PoolId id) {
    const auto index = static_cast<std::size_t>(id);
    if (pools_.size() <= index) {
        pools_.resize(index + 1);
    }
    return pools_[index];
}

bool Simulation::idle(PoolId id) const {
    const auto index = static_cast<std::size_t>(id);
    return index < pools_.size() && pools_[index].open > pools_[index].busy;
}

void Simulation::on(const Segment& segment) {
    note_facts(segment);
    for (Hypothesis& hypothesis : hypotheses_) {
        read(hypothesis, segment);
    }
    for (const Stimulus& stimulus : segment.stimuli) {
        if (stimulus.unit != UnitId{}) {
            chains_.began(stimulus.unit);
        }
    }
    for (const Act& act : segment.acts) {
        ++serial_;
        switch (act.kind) {
            case Act::Kind::statement:
                statement(segment, act);
                sent(act);
                break;
            case Act::Kind::connect:
                connect(act);
                break;
            case Act::Kind::response:
                response(segment, act);
                break;
            case Act::Kind::abandoned:
                abandon(act);
                break;
        }
    }
    ++serial_;
    close_segment(segment);
    prune();
}

/// What is so in all hypotheses: which connections are busy.
void Simulation::note_facts(const Segment& segment) {
    for (const Stimulus& stimulus : segment.stimuli) {
        Connection* const known = stimulus.unit == UnitId{} ? connections_.find(stimulus.connection) : nullptr;
        if (known == nullptr) {
            continue;
        }
        const bool was_busy = known->in_flight > 0 || known->transaction;
        known->in_flight -= std::min<std::uint32_t>(known->in_flight, 1);
        known->transaction = stimulus.transaction;
        const bool is_busy = known->in_flight > 0 || known->transaction;
        pool(known->pool).busy -= was_busy && !is_busy && pool(known->pool).busy > 0 ? 1 : 0;
    }
    for (const Act& act : segment.acts) {
        if (act.kind == Act::Kind::statement) {
            model_.place(act.shape, act.pool);
            pool(act.pool).waits = act.may_wait && !pool(act.pool).pipelined;
        }
    }
}

void Simulation::sent(const Act& act) {
    if (connections_.find(act.connection) == nullptr) {
        connections_[act.connection].pool = act.pool;
        ++pool(act.pool).open;
    }
    Connection& connection = connections_[act.connection];
    Pool& of = pool(connection.pool);
    if (connection.in_flight == 0 && !connection.transaction) {
        ++of.busy;
    } else if (connection.in_flight > 0) {
        of.pipelined = true;
        of.waits = false;
    }
    ++connection.in_flight;
}

void Simulation::closed(SocketId id) {
    const Connection* const known = connections_.find(id);
    if (known == nullptr) {
        return;
    }
    Pool& of = pool(known->pool);
    of.open -= std::min<std::uint32_t>(of.open, 1);
    of.busy -= (known->in_flight > 0 || known->transaction) && of.busy > 0 ? 1 : 0;
    connections_.erase(id);
    for (Hypothesis& hypothesis : hypotheses_) {
        hypothesis.unhold(id);
    }
}

/// Finds whom each stimulus concerns.
void Simulation::read(Hypothesis& hypothesis, const Segment& segment) {
    hypothesis.stimulated.clear();
    for (const Stimulus& stimulus : segment.stimuli) {
        Slot slot = kNobody;
        if (stimulus.unit != UnitId{}) {
            Token token;
            token.state = Token::State::running;
            token.chain = chain_of(stimulus.unit);
            token.unit = stimulus.unit;
            token.history = History::begin(stimulus.route);
            token.path = start_path(token.history);
            if (hypothesis.tokens.size() < kMostTokens) {
                slot = hypothesis.add(token);
            }
        } else {
            const auto flight = std::find_if(hypothesis.flights.begin(), hypothesis.flights.end(),
                                             [&](const Hypothesis::Flight& each) { return each.exchange == stimulus.exchange; });
            if (flight != hypothesis.flights.end()) {
                slot = flight->slot;
                *flight = hypothesis.flights.back();
                hypothesis.flights.pop_back();
            }
            if (slot != kNobody) {
                Token& token = hypothesis.tokens[slot];
                token.outstanding -= std::min<std::uint16_t>(token.outstanding, 1);
            }
            hypothesis.unhold(stimulus.connection);
            if (stimulus.transaction && slot != kNobody) {
                hypothesis.held.push_back({stimulus.connection, slot, false});
            }
        }
        hypothesis.stimulated.push_back(slot);
    }
}

/// Applies each option of each hypothesis to a copy of it; the only one, or the last, to itself.
template <typename Options, typename Apply>
void Simulation::fork(Options options, Apply apply) {
    constexpr double kWorthTrying = 1e-5;
    forked_.clear();
    for (Hypothesis& hypothesis : hypotheses_) {
        options_.clear();
        options(hypothesis);
        double best = 0;
        for (const Option& option : options_) {
            best = std::max(best, option.probability);
        }
        std::erase_if(options_, [&](const Option& option) { return option.probability < best * kWorthTrying; });
        for (std::size_t i = 1; i < options_.size(); ++i) {
            Hypothesis& copy = forked_.emplace_back(hypothesis);
            copy.weight *= options_[i].probability;
            apply(copy, options_[i]);
        }
        if (!options_.empty()) {
            hypothesis.weight *= options_.front().probability;
            apply(hypothesis, options_.front());
        }
    }
    if (forked_.empty()) {
        return;
    }
    std::move(forked_.begin(), forked_.end(), std::back_inserter(hypotheses_));
    forked_.clear();
    if (hypotheses_.size() > 4 * kMostHypotheses) {
        prune();
    }
}

void Simulation::statement(const Segment& segment, const Act& act) {
    fork([&](Hypothesis& hypothesis) { statement_options(hypothesis, segment, act); },
         [&](Hypothesis& hypothesis, const Option& option) { issue(hypothesis, act, option, segment); });
}

void Simulation::response(const Segment& segment, const Act& act) {
    const auto unseen = std::find(unseen_.begin(), unseen_.end(), act.unit);
    if (unseen != unseen_.end()) {
        unseen_.erase(unseen);
        return;
    }
    const auto best = std::max_element(hypotheses_.begin(), hypotheses_.end(),
                                       [](const Hypothesis& a, const Hypothesis& b) { return a.weight < b.weight; });
    options_.clear();
    response_options(*best, segment, act);
    constexpr double kForeseen = 1e-3;
    const bool foreseen = std::any_of(options_.begin(), options_.end(), [](const Option& option) { return option.probability > kForeseen; });
    chains_.foresaw(foreseen);
    foreseen_in_a_row_ = foreseen ? foreseen_in_a_row_ + 1 : 0;
    if (in_doubt_ && unseen_.empty() && foreseen_in_a_row_ >= kResponsesToTrust) {
        in_doubt_ = false;
        commit(0);
        chains_.doubt(false);
    }
    fork([&](Hypothesis& hypothesis) { response_options(hypothesis, segment, act); },
         [&](Hypothesis& hypothesis, const Option& option) { respond(hypothesis, act, option); });
}

void Simulation::abandon(const Act& act) {
    std::erase(unseen_, act.unit);
    for (Hypothesis& hypothesis : hypotheses_) {
        const Slot slot = hypothesis.of_unit(act.unit);
        if (slot != kNobody) {
            hypothesis.release(slot);
        }
    }
    commit(0);
    chains_.abandoned(act.unit);
}

void Simulation::connect(const Act& act) {
    for (Hypothesis& hypothesis : hypotheses_) {
        const auto owner = std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [](Slot slot) { return slot != kNobody; });
        if (owner != hypothesis.stimulated.end()) {
            ++hypothesis.tokens[*owner].outstanding;
            hypothesis.held.push_back({act.connection, *owner, true});
        }
    }
}

void Simulation::close_segment(const Segment& segment) {
    for (std::size_t i = 0; i < segment.stimuli.size(); ++i) {
        fork(
            [&](const Hypothesis& hypothesis) {
                if (hypothesis.stimulated[i] != kNobody) {
                    continuation_options(hypothesis, hypothesis.stimulated[i]);
                }
            },
            [&](Hypothesis& hypothesis, const Option& option) { go_on(hypothesis, option.slot, option, segment.at); });
    }
    for (Hypothesis& hypothesis : hypotheses_) {
        // A sleeper that woke in this segment and wrote several statements.
        for (std::size_t slot = 0; slot < hypothesis.tokens.size(); ++slot) {
            const Token& token = hypothesis.tokens[slot];
            if (token.state == Token::State::running && token.issued != Step::respond) {
                close_list(hypothesis, static_cast<Slot>(slot), segment.at);
            }
        }
        conserve(hypothesis, segment.at);
    }
}

/// Nobody waits while a connection is idle: who was thought to wait did something else.
void Simulation::conserve(Hypothesis& hypothesis, Instant at) const {
    constexpr double kContradiction = 1e-6;
    bool contradiction = false;
    for (std::size_t i = 0; i < hypothesis.queue.size();) {
        const Hypothesis::Waiting waiting = hypothesis.queue[i];
        if (!idle(waiting.pool)) {
            ++i;
            continue;
        }
        contradiction = true;
        hypothesis.queue.erase(hypothesis.queue.begin() + static_cast<std::ptrdiff_t>(i));
        if (waiting.slot != kNobody && hypothesis.tokens[waiting.slot].state == Token::State::waiting) {
            hypothesis.sleep(waiting.slot, at);
        }
    }
    hypothesis.weight *= contradiction ? kContradiction : 1;
}

void Simulation::prune() {
    if (hypotheses_.size() > 1) {
        merge_equal();
        std::stable_sort(hypotheses_.begin(), hypotheses_.end(), [](const Hypothesis& a, const Hypothesis& b) { return a.weight > b.weight; });
        while (hypotheses_.size() > kMostHypotheses || hypotheses_.back().weight < hypotheses_.front().weight * kLeastWeight) {
            hypotheses_.pop_back();
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
        unite(*into, hypotheses_[i]);
        into->weight += hypotheses_[i].weight;
        hypotheses_[i].weight = -1;
    }
    std::erase_if(hypotheses_, [](const Hypothesis& each) { return each.weight < 0; });
}

/// The probability of what the best hypothesis says, over all of them.
void Simulation::weigh(Hypothesis::Note& note) const {
    double probability = 0;
    for (const Hypothesis& hypothesis : hypotheses_) {
        const Hypothesis::Note* const same = counterpart(hypothesis, note);
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
        chains_.on(note);
        if (note.kind == Hypothesis::Note::Kind::response && note.agrees && note.probability >= kLearnable && !in_doubt_) {
            learn(note.path, 1);
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
    foreseen_in_a_row_ = 0;
    chains_.doubt(true);
}

void Simulation::quiet() {
    commit(0);
    const Hypothesis& known = hypotheses_.front();
    const bool empty = known.flights.empty() && std::all_of(known.tokens.begin(), known.tokens.end(), [](const Token& token) {
                           return token.state == Token::State::free;
                       });
    if (!empty) {
        hypotheses_.assign(1, Hypothesis{});
    }
    unseen_.clear();
    in_doubt_ = false;
    chains_.doubt(false);
    chains_.give_up();
}

void Simulation::finish() {
    commit(0);
    chains_.give_up();
}

std::uint32_t Simulation::start_path(const History& history) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {};
    slot.id = next_path_;
    slot.start = history;
    return next_path_;
}

std::uint32_t Simulation::step(std::uint32_t path, Step step, std::uint8_t hold, Duration delay, bool delay_known) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {next_path_, path, step, hold, delay_known, delay, {}};
    return next_path_;
}

void Simulation::learn(std::uint32_t path, double weight) {
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
    for (auto at = steps.rbegin() + 1; at != steps.rend(); ++at) {
        const PathStep& taken = **at;
        model_.learn(history, taken.step, weight);
        if (taken.hold != 0) {
            model_.learn_hold(history, taken.hold == 1, weight);
        }
        if (taken.delay_known) {
            model_.learn_delay(history, taken.delay);
        }
        history = history.then(taken.step);
    }
}

}  // namespace timesink::infer
