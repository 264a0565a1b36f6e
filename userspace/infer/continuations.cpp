#include <algorithm>

#include "infer/simulation.hpp"

// Responses, and what units did of which nothing is seen.

namespace timesink::infer {

namespace {

/// A response in the segment of another's reply.
constexpr double kWrongResponse = 1e-9;
/// Responds while its own statements are outstanding.
constexpr double kNotWaitedFor = 0.02;
/// It could have written at once, and did not.
constexpr double kPutOff = 0.3;

}  // namespace

void Simulation::response_options(const Hypothesis& hypothesis, const Segment& segment, UnitId unit) {
    const Slot own = hypothesis.responds;
    bool stimulated = false;
    for (const Slot slot : hypothesis.stimulated) {
        if (slot == kNobody) {
            continue;
        }
        stimulated = true;
        const Token& token = hypothesis.tokens[slot];
        // What is sent and not waited for is rare.
        const bool unfinished = token.issued != Step::respond || token.outstanding > 0;
        const History history = token.issued != Step::respond ? token.history.then(token.issued) : token.history;
        const double responds =
            std::max(model_.probability(history, Step::respond) * (unfinished ? kNotWaitedFor : 1), 1e-4 * kNotWaitedFor);
        if (token.unit == unit && !token.virtually) {
            options_.push_back({.slot = slot, .reason = Reason::reply, .probability = responds});
        } else if (token.virtually) {
            // A name is exchanged with an equal that is not firm either; never taken from one whose chain began with the request.
            const bool free_name =
                own == kNobody || own == slot || hypothesis.tokens[own].virtually || hypothesis.tokens[own].blurred;
            const bool same_route = own == kNobody || hypothesis.tokens[own].history.route == token.history.route;
            options_.push_back(
                {.slot = slot, .reason = Reason::reply, .probability = responds * (free_name && same_route ? 1 : 1e-7)});
        }
    }
    if (own != kNobody && hypothesis.tokens[own].state == Token::State::sleeping && (segment.last || !stimulated)) {
        const Token& token = hypothesis.tokens[own];
        Option option{
            .slot = own, .reason = Reason::woke, .probability = std::max(model_.probability(token.history, Step::respond), 1e-4)};
        option.from = wakes_since(segment);
        option.to = now_ + Duration(1);
        option.probability *= wakes(token, option.from, option.to).probability;
        option.woken = true;
        options_.push_back(option);
    }
    options_.push_back({.slot = kNobody, .reason = Reason::unexplained, .probability = kWrongResponse});
}

void Simulation::respond(Hypothesis& hypothesis, const Act& act, const Option& option) {
    Slot slot = option.slot;
    const Slot own = hypothesis.responds;
    Hypothesis::Note note;
    note.kind = Hypothesis::Note::Kind::response;
    note.serial = serial_;
    note.unit = act.unit;
    if (slot == kNobody) {
        // Not whom we expected. The one whose reply was read has been taken for another, who goes on in its place.
        note.agrees = false;
        const auto taken =
            std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [](Slot each) { return each != kNobody; });
        slot = taken != hypothesis.stimulated.end() ? *taken : own;
        if (slot == kNobody) {
            return;
        }
    } else if (option.woken) {
        wake(hypothesis, slot, option, {});
    }
    Token& token = hypothesis.tokens.change(slot);
    note.chain = token.chain;
    if (own != kNobody && own != slot) {
        Token& exchanged = hypothesis.tokens.change(own);
        std::swap(exchanged.unit, token.unit);
        if (!note.agrees) {
            std::swap(exchanged.chain, token.chain);
        }
    }
    if (token.issued != Step::respond) {
        token.path = step(token.path, token.issued);
    }
    note.path = step(token.path, Step::respond);
    hypothesis.notes.push_back(note);
    hypothesis.release(slot);
}

/// Who opens a connection: whoever was read of in this segment and asks next where none is to be had. To where is not known yet.
void Simulation::connect_options(const Hypothesis& hypothesis) {
    constexpr double kNotNeeded = 0.02;  // one is idle, or may be shared
    constexpr double kNobodys = 0.01;    // a pool opens it of its own accord
    double any = 0;
    for (const Slot slot : hypothesis.stimulated) {
        if (slot == kNobody || hypothesis.tokens[slot].state != Token::State::running) {
            continue;
        }
        double asks = kLeastProbability;
        for (std::size_t index = 0; index < pools_.size(); ++index) {
            const auto id = static_cast<PoolId>(index);
            const bool needed = !pools_[index].pipelined && !idle(id);
            asks += model_.issues(hypothesis.tokens[slot].history, id) * (needed ? 1 : kNotNeeded);
        }
        options_.push_back({.slot = slot, .reason = Reason::connected, .probability = std::min(asks, 1.0)});
        any += asks;
    }
    if (any > 0) {
        options_.push_back({.reason = Reason::unexplained, .probability = kNobodys});
    }
}

/// What a token did of which nothing was seen behind its reply.
void Simulation::continuation_options(Hypothesis& hypothesis, Slot slot, const Segment& segment) {
    const Token& token = hypothesis.tokens[slot];
    if (token.state != Token::State::running) {
        return;
    }
    // What it has prepared it executes, be it at the end of the turn only.
    if (token.issued != Step::respond || token.carried_on ||
        hypothesis.held.end() != std::find_if(hypothesis.held.begin(), hypothesis.held.end(), [&](const Hypothesis::Held& held) {
            return held.slot == slot && (held.connecting || held.prepared != Shape{});
        })) {
        options_.push_back({.slot = slot, .reason = Reason::reply, .probability = 1, .step = Step::first_list});
        return;
    }
    if (token.outstanding > 0) {
        options_.push_back({.slot = slot,
                            .probability = std::max(kLeastProbability, model_.probability(token.history, Step::join)),
                            .step = Step::join});
    }
    nothing_written_options(hypothesis, slot, segment);
    const double alone = token.outstanding > 0 ? 0.1 : 1;
    options_.push_back({.slot = slot,
                        .probability = std::max(kLeastProbability, alone * model_.probability(token.history, Step::sleep)),
                        .step = Step::sleep});
}

/// P(it has put off what it asks, to the end of the turn).
double Simulation::puts_off(Hypothesis& hypothesis, const Token& token, const Segment& segment, bool late) const {
    constexpr double kDriversImmediate = 0.5;  // that one is set in a segment whose owner puts nothing off
    constexpr double kManner = 4;
    double deferred = model_.defers(token.history, late);
    if (!told_.immediates) {
        return deferred;
    }
    if (!immediate_was_set_) {
        return 0;
    }
    const Hypothesis::Manner& manner = hypothesis.manner(token.history);
    deferred = (deferred + kManner * manner.put_off) / (1 + kManner * (manner.put_off + manner.direct));
    return segment.immediate_set_at != Instant{} ? deferred / (deferred + (1 - deferred) * kDriversImmediate) : deferred;
}

/// It wants a connection and waits for it, or has put off wanting one to the end of the turn.
void Simulation::nothing_written_options(Hypothesis& hypothesis, Slot slot, const Segment& segment) {
    const Token& token = hypothesis.tokens[slot];
    const double put_off_for_all = told_.immediates ? (immediate_was_set_ ? 1 : 0) : kPutOff;
    double put_off = 0;
    for (std::size_t index = 0; index < pools_.size(); ++index) {
        const Pool& of = pools_[index];
        const auto id = static_cast<PoolId>(index);
        const double issues = model_.issues(token.history, id);
        const double deferred = puts_off(hypothesis, token, segment, of.late);
        if (of.late && idle(hypothesis, id)) {
            put_off += issues;
        } else if (of.waits && of.open > 0 && (of.late || of.open <= of.busy)) {
            options_.push_back({.slot = slot,
                                .reason = Reason::waited,
                                .probability = issues * (1 - deferred),
                                .step = Step::first_list,
                                .pool = id});
            put_off += issues * deferred;
        } else {
            put_off += issues * put_off_for_all;
        }
    }
    if (put_off > 0) {
        options_.push_back({.slot = slot, .reason = Reason::deferred, .probability = put_off, .step = Step::first_list});
    }
}

void Simulation::go_on(Hypothesis& hypothesis, Slot slot, const Option& option, Instant at) {
    Token& token = hypothesis.tokens.change(slot);
    switch (option.step) {
        case Step::join:
            token.path = step(token.path, Step::join);
            token.history = token.history.then(Step::join);
            break;
        case Step::sleep: {
            if (token.is_unseen()) {
                sleep(hypothesis, slot, turn_begin_);
                break;
            }
            hypothesis.sleep(slot, turn_begin_);
            Hypothesis::Note note;
            note.kind = Hypothesis::Note::Kind::sleep;
            note.serial = serial_;
            note.chain = token.chain;
            note.sleepers = token.history.all;
            note.from = turn_begin_;
            note.history = token.before_sleep;
            note.delays = model_.delays(token.before_sleep);
            hypothesis.notes.push_back(note);
            break;
        }
        default:
            if (told_.immediates && immediate_was_set_ &&
                (option.reason == Reason::waited || option.reason == Reason::deferred)) {
                constexpr std::uint16_t kMost = 1000;
                Hypothesis::Manner& manner = hypothesis.manner(token.history);
                std::uint16_t& times = option.reason == Reason::waited ? manner.direct : manner.put_off;
                times += times < kMost ? 1 : 0;
            }
            if (option.reason == Reason::waited) {
                token.state = Token::State::waiting;
                hypothesis.queue(option.pool).push_back({.slot = slot, .defer = Hypothesis::Told::no, .position = at});
            } else if (option.reason == Reason::deferred) {
                token.state = Token::State::deferred;
                token.since = now_;
                hypothesis.deferred.push_back(slot);
            } else {
                close_list(hypothesis, slot, at);
            }
            break;
    }
}

/// What it wrote in this segment was a list; what the pool had no connection for waits.
void Simulation::close_list(Hypothesis& hypothesis, Slot slot, Instant at) {
    Token& token = hypothesis.tokens.change(slot);
    token.carried_on = false;
    if (token.issued == Step::respond) {
        return;
    }
    const std::span<const Shape> written = model_.shapes(token.issued);
    prefix_.assign(written.begin(), written.end());
    Step list = token.issued;
    const Step likely = model_.likeliest(token.history, prefix_);
    const std::span<const Shape> whole = model_.shapes(likely);
    for (std::size_t index = 0; whole.size() > prefix_.size() && index < pools_.size(); ++index) {
        // All of one pool: which of a list's pools the rest is for is not told here.
        if (pools_[index].waits && pools_[index].open > 0 && pools_[index].open <= pools_[index].busy) {
            const std::vector<Shape> rest(whole.begin() + static_cast<std::ptrdiff_t>(prefix_.size()), whole.end());
            for (const Shape shape : rest) {
                hypothesis.queue(static_cast<PoolId>(index)).push_back({.slot = slot, .position = at, .shape = shape});
                ++token.outstanding;
            }
            list = likely;
            break;
        }
    }
    token.path = step(token.path, list);
    token.history = token.history.then(list);
    token.issued = Step::respond;
}

}  // namespace timesink::infer
