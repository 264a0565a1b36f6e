#include "infer/simulation.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

namespace timesink::infer {

namespace {

/// Of the latest responses: more than half of so many not foreseen begin a doubt.
constexpr std::uint32_t kLatestResponses = 0xfff;
constexpr int kDerailed = 6;

}  // namespace

Simulation::Pool& Simulation::pool(PoolId id) {
    const auto index = static_cast<std::size_t>(id);
    if (pools_.size() <= index) {
        pools_.resize(index + 1);
    }
    return pools_[index];
}

/// Beside what can be seen: a late driver has given away connections on which nothing is written yet.
bool Simulation::idle(const Hypothesis& hypothesis, PoolId id) const {
    constexpr double kWants = 0.5;
    if (!idle(id) || !pools_[static_cast<std::size_t>(id)].late) {
        return idle(id);
    }
    const auto index = static_cast<std::size_t>(id);
    std::size_t given = 0;
    if (index < hypothesis.queues.size()) {
        const Hypothesis::Queue& queue = hypothesis.queues[index];
        given = std::accumulate(queue.begin(), queue.end(), given,
                                [](std::size_t sum, const Hypothesis::Waiting& waiting) { return sum + waiting.grants; });
    }
    const auto taken = std::count_if(hypothesis.deferred.begin(), hypothesis.deferred.end(),
                                     [&](Slot slot) { return model_.issues(hypothesis.tokens[slot].history, id) > kWants; });
    return pools_[index].open > pools_[index].busy + given + static_cast<std::size_t>(taken);
}

/// A connection of a late driver was given back: to whoever has waited longest. Who asks several statements at once waits for as
/// many.
void Simulation::give(Hypothesis& hypothesis, PoolId id) const {
    Hypothesis::Queue& queue = hypothesis.queue(id);
    const auto next = std::find_if(queue.begin(), queue.end(), [&](const Hypothesis::Waiting& waiting) {
        return waiting.grants == 0 ||
               (waiting.shape == Shape{} && waiting.grants < model_.expected(hypothesis.tokens[waiting.slot].history, id));
    });
    if (next != queue.end()) {
        next->given = next->grants == 0 ? now_ : next->given;
        ++next->grants;
    }
}

void Simulation::on(const Segment& segment) {
    now_ = segment.at;
    turn_begin_ = segment.turn_begin;
    note_facts(segment);
    any_late_ = std::any_of(pools_.begin(), pools_.end(), [](const Pool& of) { return of.late; });
    chains_.late_driver(any_late_);
    end_turns(segment);
    immediate_was_set_ = immediate_was_set_ || segment.immediate_set_at != Instant{};
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
        earn();
        switch (act.kind) {
            case Act::Kind::statement:
                if (!act.nobodys) {
                    statement(segment, act.nameless ? named(act) : act);
                }
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
    immediate_was_set_ = immediate_was_set_ && !segment.immediates;
    immediates_at_ = segment.immediates ? segment.at : immediates_at_;
    prune();
}

/// By what its name means, where that is known.
Act Simulation::named(Act act) {
    const Shape name = Names::name(act.shape, act.connection);
    if (!names_.is_told(name)) {
        chains_.names_are_learned();
    }
    if (const Shape meaning = names_.meaning(name); meaning != Shape{}) {
        act.shape = meaning;
        act.nameless = false;
    }
    return act;
}

void Simulation::end_turns(const Segment& segment) {
    constexpr std::size_t kMostTurns = 8192;
    if (told_.timers ? !segment.timers : !segment.last) {
        return;
    }
    constexpr Duration kClock = std::chrono::microseconds(1100);  // libuv counts milliseconds
    const Instant before = turn_ends_.empty() ? Instant{} : turn_ends_.back().due;
    const Instant earliest = segment.waited ? std::max(before, segment.turn_begin - kClock) : before;
    turn_ends_.push_back({segment.at, earliest, std::max(segment.end, segment.at)});
    turns_asked_.known = false;
    if (turn_ends_.size() > kMostTurns) {
        turn_ends_.pop_front();
    }
}

/// The turns whose last segment is in [from, to): when whoever woke at their ends may have been due.
Simulation::Wake Simulation::turns_in(Instant from, Instant to) {
    if (turns_asked_.known && turns_asked_.from == from && turns_asked_.to == to) {
        return turns_asked_.answer;
    }
    turns_asked_ = {from, to, {0, from, to, false}, true};
    const std::size_t before = turn_ends_.count_front([&](const TurnEnd& turn) { return turn.position < from; });
    const std::size_t within = turn_ends_.count_front([&](const TurnEnd& turn) { return turn.position < to; });
    if (within != before) {
        turns_asked_.answer = {0, turn_ends_[before].earliest, turn_ends_[within - 1].due, true};
    }
    return turns_asked_.answer;
}

/// That a sleeper woke at the end of one of these turns, not having done so before.
double Simulation::wakes(const Token& token, const Wake& turns, const Delays* delays) const {
    const double none = told_.timers ? 1e-4 : 1e-5;  // a worker thread's wake is not told
    constexpr double kNothingKnown = 0.05;
    if (!turns.any || turns.to <= token.since) {
        return none;
    }
    return delays != nullptr && delays->known() ? delays->wakes_within(turns.from - token.since, turns.to - token.since)
                                                : kNothingKnown;
}

Simulation::Wake Simulation::wakes(const Token& token, Instant from, Instant to) {
    Wake wake = turns_in(from, to);
    wake.probability = wakes(token, wake, model_.delays(token.before_sleep));
    return wake;
}

/// What is so in all hypotheses: which connections are busy.
void Simulation::note_facts(const Segment& segment) {
    for (const Stimulus& stimulus : segment.stimuli) {
        if (stimulus.meaning != Shape{}) {
            tell_name(Names::name(stimulus.nameless, stimulus.connection), stimulus);
        }
        Connection* const known = stimulus.unit == UnitId{} ? connections_.find(stimulus.connection) : nullptr;
        if (known == nullptr) {
            continue;
        }
        const bool was_busy = known->in_flight > 0 || known->transaction;
        known->in_flight -= std::min<std::uint32_t>(known->in_flight, 1);
        known->transaction = stimulus.transaction || stimulus.prepared != Shape{};
        const bool is_busy = known->in_flight > 0 || known->transaction;
        pool(known->pool).busy -= was_busy && !is_busy && pool(known->pool).busy > 0 ? 1 : 0;
    }
    for (const Act& act : segment.acts) {
        if (act.kind == Act::Kind::statement) {
            model_.place(act.nameless ? Names::name(act.shape, act.connection) : act.shape, act.pool);
            pool(act.pool).waits = act.may_wait && !pool(act.pool).pipelined;
            pool(act.pool).has_waited = pool(act.pool).has_waited || pool(act.pool).waits;
            pool(act.pool).late = act.late;
            pool(act.pool).was_late = pool(act.pool).was_late || act.late;
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
    hypothesis.writers.clear();
    hypothesis.writing = kNobody;
    hypothesis.wrote_awoken = false;
    for (const Stimulus& stimulus : segment.stimuli) {
        Slot slot = kNobody;
        if (stimulus.unit != UnitId{}) {
            Token token;
            token.state = Token::State::running;
            token.chain = chain_of(stimulus.unit);
            token.unit = stimulus.unit;
            token.history = History::begin(stimulus.route);
            token.path = start_path(token.history, stimulus.named);
            if (hypothesis.tokens.size() < kMostTokens) {
                slot = hypothesis.tokens.add(token);
            }
        } else {
            const auto flight = std::find_if(hypothesis.flights.begin(), hypothesis.flights.end(),
                                             [&](const Hypothesis::Flight& each) { return each.exchange == stimulus.exchange; });
            if (flight != hypothesis.flights.end()) {
                slot = flight->slot;
                *flight = hypothesis.flights.back();
                hypothesis.flights.pop_back();
            }
            if (slot == kNobody) {
                slot = answered_unseen(hypothesis, stimulus);
            } else {
                Token& token = hypothesis.tokens.change(slot);
                token.outstanding -= std::min<std::uint16_t>(token.outstanding, 1);
            }
            hypothesis.unhold(stimulus.connection);
            const Connection* const freed = connections_.find(stimulus.connection);
            const bool stays = stimulus.transaction || stimulus.prepared != Shape{};
            if (freed != nullptr && !stays && freed->in_flight == 0 && pool(freed->pool).late) {
                give(hypothesis, freed->pool);
            }
            if (stays && slot != kNobody) {
                hypothesis.held.push_back({stimulus.connection, slot, false, stimulus.prepared});
            }
        }
        hypothesis.stimulated.push_back(slot);
    }
}

/// Copies are dear: what would be given up at the end of the segment is not made. A hundred times less likely than that it must
/// be, for what the segment does next may still count for it.
void Simulation::drop_hopeless() {
    constexpr double kStillPossible = 0.01;
    weights_.clear();
    for (const Candidate& each : candidates_) {
        weights_.push_back(each.weight);
    }
    const std::size_t few = std::min(kFew, weights_.size());
    std::partial_sort(weights_.begin(), weights_.begin() + static_cast<std::ptrdiff_t>(few), weights_.end(), std::greater<>());
    const double best = weights_.empty() ? 0 : weights_.front();
    const double least_of_few = few < kFew ? 0 : weights_[kFew - 1];
    std::erase_if(candidates_, [&](const Candidate& each) {
        return each.weight < best * kStillPossible * (each.weight >= least_of_few ? kLeastOfFew : least_weight());
    });
}

/// Applies each option of each hypothesis to a copy of it; the only one, or the last, to itself.
template <typename Options, typename Apply>
void Simulation::fork(Options options, Apply apply) {
    constexpr double kWorthTrying = 1e-5;
    candidates_.clear();
    const std::size_t before = hypotheses_.size();
    for (std::size_t at = 0; at < before; ++at) {
        options_.clear();
        options(hypotheses_[at]);
        double best = 0;
        for (const Option& option : options_) {
            best = std::max(best, option.probability);
        }
        for (const Option& option : options_) {
            if (option.probability >= best * kWorthTrying) {
                candidates_.push_back({at, hypotheses_[at].weight * option.probability, true, option});
            }
        }
        if (options_.empty()) {
            candidates_.push_back({at, hypotheses_[at].weight, false, {}});
        }
    }
    drop_hopeless();
    for (std::size_t first = 0, at = 0; at < before; ++at) {
        std::size_t end = first;
        while (end < candidates_.size() && candidates_[end].hypothesis == at) {
            ++end;
        }
        for (std::size_t i = first + 1; i < end; ++i) {
            Hypothesis copy;
            if (!spare_.empty()) {
                copy = std::move(spare_.back());
                spare_.pop_back();
            }
            copy = hypotheses_[at];
            spend();
            copy.weight = candidates_[i].weight;
            apply(copy, candidates_[i].option);
            hypotheses_.push_back(std::move(copy));
        }
        hypotheses_[at].weight = first < end ? candidates_[first].weight : -1;
        if (first < end && candidates_[first].changes) {
            apply(hypotheses_[at], candidates_[first].option);
        }
        first = end;
    }
    give_up_hopeless();
    if (hypotheses_.size() > before && hypotheses_.size() > kMostAtOnce / kMostHypotheses * width()) {
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
    judge(foresees(segment, act));
    fork([&](Hypothesis& hypothesis) { response_options(hypothesis, segment, act.unit); },
         [&](Hypothesis& hypothesis, const Option& option) { respond(hypothesis, act, option); });
}

/// By those hypotheses together that were thought worth something: that one of several was right is no surprise.
bool Simulation::foresees(const Segment& segment, const Act& act) {
    constexpr double kForeseen = 1e-3;
    constexpr double kLikely = 0.15;
    double foreseen = 0;
    double all = 0;
    for (Hypothesis& hypothesis : hypotheses_) {
        options_.clear();
        hypothesis.responds = hypothesis.of_unit(act.unit);
        response_options(hypothesis, segment, act.unit);
        const bool among =
            std::any_of(options_.begin(), options_.end(), [](const Option& option) { return option.probability > kForeseen; });
        foreseen += among ? hypothesis.weight : 0;
        all += hypothesis.weight;
    }
    return foreseen > kLikely * all;
}

void Simulation::judge(bool foreseen) {
    chains_.foresaw(foreseen);
    foreseen_ = foreseen_ << 1 | (foreseen ? 1 : 0);
    foreseen_in_a_row_ = foreseen ? foreseen_in_a_row_ + 1 : 0;
    derailed_ = std::popcount(foreseen_ & kLatestResponses) < kDerailed;
    if (in_doubt_ && !poor_ && unseen_.empty() && foreseen_in_a_row_ >= kTrustworthy) {
        in_doubt_ = false;
        commit(0);
        chains_.doubt(false);
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
    fork([&](Hypothesis& hypothesis) { connect_options(hypothesis); },
         [&](Hypothesis& hypothesis, const Option& option) {
             if (option.slot != kNobody) {
                 ++hypothesis.tokens.change(option.slot).outstanding;
                 hypothesis.held.push_back({act.connection, option.slot, true, {}});
             }
         });
}

void Simulation::close_segment(const Segment& segment) {
    for (std::size_t i = 0; i < segment.stimuli.size(); ++i) {
        fork(
            [&](Hypothesis& hypothesis) {
                if (hypothesis.stimulated[i] != kNobody) {
                    continuation_options(hypothesis, hypothesis.stimulated[i], segment);
                }
            },
            [&](Hypothesis& hypothesis, const Option& option) { go_on(hypothesis, option.slot, option, segment.at); });
    }
    const bool may_conserve =
        std::any_of(pools_.begin(), pools_.end(), [](const Pool& of) { return of.has_waited && of.open > of.busy; });
    for (Hypothesis& hypothesis : hypotheses_) {
        // A sleeper that woke in this segment and wrote several statements.
        for (const Slot slot : hypothesis.writers) {
            const Token& token = hypothesis.tokens[slot];
            if (token.state == Token::State::running && token.issued != Step::respond) {
                close_list(hypothesis, slot, segment.at);
            }
        }
        if (segment.immediates) {
            end_turn(hypothesis, segment.at);
        }
        if (may_conserve) {
            conserve(hypothesis, segment.at);
        }
    }
}

/// Immediates have run: what they wanted to write and did not, waits.
void Simulation::end_turn(Hypothesis& hypothesis, Instant at) const {
    constexpr double kNothingCame = 0.01;
    std::vector<Slot> fell_asleep;
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
            hypothesis.tokens.change(slot).state = Token::State::waiting;
            hypothesis.queue(static_cast<PoolId>(waits))
                .push_back({.slot = slot, .defer = Hypothesis::Told::yes, .position = at});
        } else {
            hypothesis.weight *= kNothingCame;
            fell_asleep.push_back(slot);
        }
    }
    hypothesis.deferred.clear();
    for (const Slot slot : fell_asleep) {
        sleep(hypothesis, slot, at);
    }
    for (std::size_t index = 0; index < hypothesis.queues.size(); ++index) {
        for (std::size_t i = 0; pools_[index].was_late && i < hypothesis.queues[index].size(); ++i) {
            Hypothesis::Waiting& waiting = hypothesis.queues[index][i];
            hypothesis.weight *= waiting.given != Instant{} ? kNothingCame : 1;
            waiting.given = {};
            waiting.grants = 0;
        }
    }
}

/// Nobody waits while a connection is idle: who was thought to wait did something else.
void Simulation::conserve(Hypothesis& hypothesis, Instant at) const {
    constexpr double kContradiction = 1e-6;
    bool contradiction = false;
    for (std::size_t index = 0; index < hypothesis.queues.size(); ++index) {
        Hypothesis::Queue& queue = hypothesis.queues[index];
        for (std::size_t i = 0; i < queue.size() && idle(static_cast<PoolId>(index));) {
            if (queue[i].given != Instant{} || !idle(hypothesis, static_cast<PoolId>(index))) {
                ++i;
                continue;
            }
            contradiction = true;
            const Slot slot = queue[i].slot;
            queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
            if (slot != kNobody && hypothesis.tokens[slot].state == Token::State::waiting) {
                sleep(hypothesis, slot, at);
            }
        }
    }
    hypothesis.weight *= contradiction ? kContradiction : 1;
}

}  // namespace timesink::infer
