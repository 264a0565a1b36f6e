#include "infer/simulation.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace timesink::infer {

namespace {

/// Against the best; hypotheses that are less likely are given up, but for a few that may save the day.
constexpr double kLeastWeight = 1e-4;
constexpr double kLeastOfFew = 1e-7;
constexpr std::size_t kFew = 3;

/// A path is learned when its statements are this certain.
constexpr double kLearnable = 0.97;

/// Of the latest responses: all of so many foreseen end a doubt, more than half of them not foreseen begin one.
constexpr std::uint32_t kLatestResponses = 0xfff;
constexpr int kDerailed = 6;

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
    now_ = segment.at;
    turn_begin_ = segment.turn_begin;
    note_facts(segment);
    end_turns(segment);
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

void Simulation::end_turns(const Segment& segment) {
    constexpr std::size_t kMostTurns = 8192;
    if (!segment.last) {
        return;
    }
    constexpr Duration kClock = std::chrono::microseconds(1100);  // libuv counts milliseconds
    const Instant before = turn_ends_.empty() ? Instant{} : turn_ends_.back().due;
    const Instant earliest = segment.waited ? std::max(before, segment.turn_begin - kClock) : before;
    turn_ends_.push_back({segment.at, earliest, std::max(segment.end, segment.at)});
    if (turn_ends_.size() > kMostTurns) {
        turn_ends_.pop_front();
    }
}

/// That a sleeper woke at the end of one of the turns whose last segment is in [from, to), not having done so before.
Simulation::Wake Simulation::wakes(const Token& token, Instant from, Instant to) const {
    constexpr double kNoTurn = 1e-5;
    constexpr double kNothingKnown = 0.05;
    const std::size_t before = turn_ends_.count_front([&](const TurnEnd& turn) { return turn.position < from; });
    const std::size_t within = turn_ends_.count_front([&](const TurnEnd& turn) { return turn.position < to; });
    if (within == before) {
        return {kNoTurn, from, to};
    }
    Wake wake;
    wake.from = turn_ends_[before].earliest;
    wake.to = turn_ends_[within - 1].due;
    const Delays* const delays = model_.delays(token.before_sleep);
    if (wake.to <= token.since) {
        wake.probability = kNoTurn;
    } else if (delays != nullptr && delays->known()) {
        wake.probability = delays->wakes_within(wake.from - token.since, wake.to - token.since);
    } else {
        wake.probability = kNothingKnown;
    }
    return wake;
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
        respond_unseen();
        return;
    }
    const auto best = std::max_element(hypotheses_.begin(), hypotheses_.end(),
                                       [](const Hypothesis& a, const Hypothesis& b) { return a.weight < b.weight; });
    options_.clear();
    response_options(*best, segment, act);
    constexpr double kForeseen = 1e-3;
    const bool foreseen =
        std::any_of(options_.begin(), options_.end(), [](const Option& option) { return option.probability > kForeseen; });
    judge(foreseen);
    fork([&](Hypothesis& hypothesis) { response_options(hypothesis, segment, act); },
         [&](Hypothesis& hypothesis, const Option& option) { respond(hypothesis, act, option); });
}

void Simulation::judge(bool foreseen) {
    chains_.foresaw(foreseen);
    foreseen_ = foreseen_ << 1 | (foreseen ? 1 : 0);
    const int latest = std::popcount(foreseen_ & kLatestResponses);
    derailed_ = latest < kDerailed;
    if (in_doubt_ && unseen_.empty() && latest == std::popcount(kLatestResponses)) {
        in_doubt_ = false;
        commit(0);
        chains_.doubt(false);
    }
}

/// By a unit whose begin we had not seen: in the segment of a token that stands for nobody that is known.
void Simulation::respond_unseen() {
    constexpr double kOfAnother = 1e-3;
    for (Hypothesis& hypothesis : hypotheses_) {
        const auto found = std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [&](Slot slot) {
            return slot != kNobody && hypothesis.tokens[slot].history.route == kUnknownRoute;
        });
        if (found != hypothesis.stimulated.end()) {
            hypothesis.release(*found);
        } else {
            hypothesis.weight *= kOfAnother;
        }
    }
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
        const auto owner =
            std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [](Slot slot) { return slot != kNobody; });
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
        if (segment.last) {
            end_turn(hypothesis, segment.at);
        }
        conserve(hypothesis, segment.at);
    }
}

/// Immediates have run: what they wanted to write and did not, waits.
void Simulation::end_turn(Hypothesis& hypothesis, Instant at) const {
    constexpr double kNothingCame = 0.01;
    for (const Slot slot : hypothesis.deferred) {
        std::size_t waits = pools_.size();
        double most = 0;
        for (std::size_t index = 0; index < pools_.size(); ++index) {
            const Pool& of = pools_[index];
            const double issues = model_.issues(hypothesis.tokens[slot].history, static_cast<PoolId>(index));
            if (issues > most) {
                most = issues;
                waits = of.waits && of.open > 0 && of.open <= of.busy ? index : pools_.size();
            }
        }
        if (waits < pools_.size()) {
            hypothesis.tokens[slot].state = Token::State::waiting;
            hypothesis.queue.push_back({slot, static_cast<PoolId>(waits), at, {}});
        } else {
            hypothesis.weight *= kNothingCame;
            hypothesis.sleep(slot, at);
        }
    }
    hypothesis.deferred.clear();
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
        std::stable_sort(hypotheses_.begin(), hypotheses_.end(),
                         [](const Hypothesis& a, const Hypothesis& b) { return a.weight > b.weight; });
        const double best = hypotheses_.front().weight;
        while (hypotheses_.size() > kMostHypotheses ||
               hypotheses_.back().weight < best * (hypotheses_.size() > kFew ? kLeastWeight : kLeastOfFew)) {
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
        if (note.probability >= kLearnable && note.hold != Hypothesis::Told::nothing && !in_doubt_) {
            model_.learn_hold(note.history, note.hold == Hypothesis::Told::yes, 1);
        }
        if (note.probability >= kLearnable && note.defer != Hypothesis::Told::nothing && !in_doubt_) {
            model_.learn_defer(note.history, note.defer == Hypothesis::Told::yes, 1);
        }
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

std::uint32_t Simulation::start_path(const History& history) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {};
    slot.id = next_path_;
    slot.start = history;
    return next_path_;
}

std::uint32_t Simulation::step(std::uint32_t path, Step step) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {next_path_, path, step, false, {}, {}};
    return next_path_;
}

std::uint32_t Simulation::slept(std::uint32_t path, Duration delay, bool delay_known) {
    PathStep& slot = paths_[++next_path_ % paths_.size()];
    slot = {next_path_, path, Step::sleep, delay_known, delay, {}};
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
        if (taken.delay_known) {
            model_.learn_delay(history, taken.delay);
        }
        history = history.then(taken.step);
    }
}

}  // namespace timesink::infer
