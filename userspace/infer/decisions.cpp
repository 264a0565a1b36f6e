#include <algorithm>
#include <array>

#include "infer/simulation.hpp"

// What may have happened at each thing that is seen, and what it does to a hypothesis.

namespace timesink::infer {

namespace {

/// Nobody that is known can have sent it.
constexpr double kUnexplained = 1e-7;
/// While units are in flight whose begin was not seen, any statement may be theirs.
constexpr double kUnseen = 0.05;
/// Against the order of the pool.
constexpr double kOutOfTurn = 1e-4;
/// A response in the segment of another's reply.
constexpr double kWrongResponse = 1e-9;
constexpr double kLeast = 1e-9;

}  // namespace

/// P(the next statement has this shape | what it wrote in this segment).
double Simulation::extends(const Token& token, Shape shape) {
    prefix_.clear();
    double before = 1;
    if (token.issued != Step::respond) {
        const std::span<const Shape> written = model_.shapes(token.issued);
        prefix_.assign(written.begin(), written.end());
        before = model_.begins(token.history, prefix_);
    }
    prefix_.push_back(shape);
    const double after = model_.begins(token.history, prefix_);
    return std::clamp(after / std::max(before, kLeast), kLeast, 1.0);
}

/// Who read the reply that freed this connection in this segment.
Slot Simulation::freed_by(const Hypothesis& hypothesis, const Segment& segment, SocketId connection) const {
    for (std::size_t i = 0; i < segment.stimuli.size(); ++i) {
        if (segment.stimuli[i].unit == UnitId{} && segment.stimuli[i].connection == connection) {
            return hypothesis.stimulated[i];
        }
    }
    return kNobody;
}

void Simulation::statement_options(Hypothesis& hypothesis, const Segment& segment, const Act& act) {
    if (act.certain != UnitId{}) {
        const Slot slot = hypothesis.of_unit(act.certain);
        if (slot != kNobody) {
            Option option{.slot = slot, .reason = Reason::alone, .probability = 1};
            option.woken = hypothesis.tokens[slot].state == Token::State::sleeping;
            option.from = segment.turn_before;
            option.to = segment.at;
            options_.push_back(option);
            return;
        }
    }
    const auto held = std::find_if(hypothesis.held.begin(), hypothesis.held.end(),
                                   [&](const Hypothesis::Held& each) { return each.connection == act.connection; });
    if (held != hypothesis.held.end() && held->slot != kNobody) {
        const Token& token = hypothesis.tokens[held->slot];
        Option option{.slot = held->slot, .reason = held->connecting ? Reason::connected : Reason::transaction};
        option.probability = std::max(extends(token, act.shape), kOutOfTurn);
        option.woken = token.state == Token::State::sleeping;
        option.from = segment.turn_before;
        option.to = segment.at;
        options_.push_back(option);
        return;
    }
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    free_connection_options(hypothesis, segment, act, freed);
    options_.push_back({.reason = Reason::unexplained, .probability = unseen_.empty() ? kUnexplained : kUnseen});
}

void Simulation::free_connection_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, Slot freed) {
    const bool pipelined = pool(act.pool).pipelined;
    double given_back = 1;
    if (freed != kNobody && act.may_wait && !pipelined) {
        const Token& owner = hypothesis.tokens[freed];
        const double kept = model_.holds(owner.history);
        given_back = 1 - kept;
        options_.push_back({.slot = freed, .reason = Reason::kept, .probability = kept * extends(owner, act.shape)});
    }
    const std::size_t head = hypothesis.head(act.pool);
    if (head < hypothesis.queue.size()) {
        const Hypothesis::Waiting& waiting = hypothesis.queue[head];
        const Token& token = hypothesis.tokens[waiting.slot];
        const std::array<Shape, 1> first{act.shape};
        double expected = 0;
        if (waiting.shape != Shape{}) {
            expected = waiting.shape == act.shape ? 1 : kOutOfTurn;
        } else {
            expected = std::min(1.0, model_.begins(token.history, first) / std::max(model_.issues(token.history, act.pool), kLeast));
        }
        // Whoever woke before the longest waiter began to wait, waits longer.
        const double none_before = sleeper_options(hypothesis, act, hypothesis.served(act.pool), waiting.position, given_back);
        options_.push_back({.slot = waiting.slot, .reason = Reason::waited, .probability = given_back * none_before * expected, .entry = head});
    }
    const double in_turn = head < hypothesis.queue.size() ? kOutOfTurn : 1;
    bool stimulated = false;
    for (const Slot slot : hypothesis.stimulated) {
        if (slot == kNobody || hypothesis.tokens[slot].state != Token::State::running) {
            continue;
        }
        stimulated = true;
        const Token& token = hypothesis.tokens[slot];
        const bool own_request = token.history.all == History::begin(token.history.route).all;
        options_.push_back({.slot = slot, .reason = own_request ? Reason::request : Reason::reply,
                            .probability = given_back * in_turn * extends(token, act.shape)});
    }
    if (head >= hypothesis.queue.size()) {
        const bool waited = freed != kNobody && !pipelined && act.may_wait;
        if (segment.last || !stimulated || waited) {
            const Instant from = waited ? std::min(hypothesis.served(act.pool), segment.turn_before) : segment.turn_before;
            sleeper_options(hypothesis, act, from, segment.at, given_back);
        }
    }
    for (std::size_t slot = 0; slot < hypothesis.tokens.size(); ++slot) {
        const Token& token = hypothesis.tokens[slot];
        const bool listed = std::find(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), slot) != hypothesis.stimulated.end();
        if (token.state == Token::State::running && token.issued != Step::respond && !listed) {
            options_.push_back({.slot = static_cast<Slot>(slot), .reason = Reason::woke, .probability = extends(token, act.shape)});
        }
    }
}

/// One option for each kind of sleepers that may have woken in (from, to]. Returns the probability that none of them did.
double Simulation::sleeper_options(const Hypothesis& hypothesis, const Act& act, Instant from, Instant to, double factor) {
    if (hypothesis.sleeping == 0) {
        return 1;
    }
    constexpr double kNothingKnown = 0.05;
    constexpr Duration kLate = std::chrono::milliseconds(2);  // the loop comes to its timers a turn late
    struct Kind {
        std::uint64_t history;
        Slot best;
        double best_wakes;
        double none;
    };
    std::vector<Kind> kinds;
    for (std::size_t i = 0; i < hypothesis.tokens.size(); ++i) {
        const Token& token = hypothesis.tokens[i];
        if (token.state != Token::State::sleeping) {
            continue;
        }
        const Delays* const delays = model_.delays(token.before_sleep);
        double wakes = kNothingKnown;
        if (token.since >= to) {
            wakes = 1e-6;
        } else if (delays != nullptr && delays->known()) {
            wakes = delays->wakes_within(from - token.since - kLate, to - token.since);
        }
        auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& each) { return each.history == token.history.all; });
        if (kind == kinds.end()) {
            kinds.push_back({token.history.all, static_cast<Slot>(i), wakes, 1 - wakes});
            continue;
        }
        kind->none *= 1 - wakes;
        // Of equal ones, the one asleep longest, unless that is implausible.
        const bool longer = token.since < hypothesis.tokens[kind->best].since;
        if ((longer && wakes > 0.2 * kind->best_wakes) || (!longer && kind->best_wakes < 0.2 * wakes)) {
            kind->best = static_cast<Slot>(i);
        }
        kind->best_wakes = std::max(kind->best_wakes, wakes);
    }
    double none = 1;
    for (const Kind& kind : kinds) {
        none *= std::max(kind.none, 0.01);
        const std::array<Shape, 1> first{act.shape};
        Option option{.slot = kind.best, .reason = Reason::woke};
        option.probability = factor * (1 - kind.none) * model_.begins(hypothesis.tokens[kind.best].history, first);
        option.woken = true;
        option.from = from;
        option.to = to;
        options_.push_back(option);
    }
    return none;
}

/// The sleeper goes on. Where others sleep just as it did, it may be any of them.
void Simulation::wake(Hypothesis& hypothesis, Slot slot, const Option& option, ExchangeId first) {
    Token& token = hypothesis.tokens[slot];
    bool equals = token.blurred;
    for (std::size_t i = 0; i < hypothesis.tokens.size(); ++i) {
        Token& other = hypothesis.tokens[i];
        if (i != slot && other.state == Token::State::sleeping && other.history == token.history) {
            other.blurred = true;
            equals = true;
        }
    }
    --hypothesis.sleeping;
    token.state = Token::State::running;
    // How long it slept, where that is known well enough to learn from.
    const Duration most = option.to - token.since;
    const Duration width = option.to - std::max(option.from, token.since);
    const bool known = !equals && width * 4 < most + std::chrono::milliseconds(4);
    token.path = step(token.path, Step::sleep, 0, most, known);
    if (equals) {
        Hypothesis::Note note;
        note.serial = serial_;
        note.sleepers = token.history.all;
        token.chain = chain_of(first);
        token.virtually = true;
        token.path = start_path(token.history);
        note.kind = Hypothesis::Note::Kind::wake;
        note.chain = token.chain;
        note.exchange = first;
        note.delays = model_.delays(token.before_sleep);
        note.from = option.from;
        note.to = option.to;
        hypothesis.notes.push_back(note);
    }
}

void Simulation::issue(Hypothesis& hypothesis, const Act& act, const Option& option, const Segment& segment) {
    Slot slot = option.slot;
    hypothesis.unhold(act.connection);
    Hypothesis::Note note;
    note.serial = serial_;
    note.exchange = act.exchange;
    note.reason = option.reason;
    note.unit = {};
    for (const Stimulus& stimulus : segment.stimuli) {
        note.cause = stimulus.unit == UnitId{} ? stimulus.exchange : note.cause;
    }
    if (slot == kNobody) {
        note.chain = chain_of(act.exchange);  // of nobody that is known
        hypothesis.notes.push_back(note);
        hypothesis.flights.push_back({act.exchange, kNobody});
        return;
    }
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    if (option.woken) {
        wake(hypothesis, slot, option, act.exchange);
    }
    Token& token = hypothesis.tokens[slot];
    bool counted = option.reason == Reason::connected;
    if (option.reason == Reason::waited || token.state == Token::State::waiting) {
        const auto entry = std::find_if(hypothesis.queue.begin(), hypothesis.queue.end(), [&](const Hypothesis::Waiting& waiting) { return waiting.slot == slot && waiting.pool == act.pool; });
        if (entry != hypothesis.queue.end()) {
            hypothesis.served(act.pool) = entry->position;
            const Hypothesis::Waiting waiting = *entry;
            const auto place = hypothesis.queue.erase(entry);
            counted = waiting.shape != Shape{};
            if (!counted) {
                const std::array<Shape, 1> first{act.shape};
                const Step list = model_.likeliest(token.history, first);
                const std::vector<Shape> rest(model_.shapes(list).begin() + 1, model_.shapes(list).end());
                std::vector<Hypothesis::Waiting> more;
                for (const Shape shape : rest) {
                    more.push_back({slot, waiting.pool, waiting.position, shape});
                }
                token.outstanding += static_cast<std::uint16_t>(more.size());
                hypothesis.queue.insert(place, more.begin(), more.end());
                token.path = step(token.path, list, token.hold, {}, false);
                token.hold = 0;
                token.history = token.history.then(list);
            }
        }
        token.state = Token::State::running;
    } else {
        if (token.issued == Step::respond) {
            prefix_.clear();
        } else {
            const std::span<const Shape> written = model_.shapes(token.issued);
            prefix_.assign(written.begin(), written.end());
        }
        prefix_.push_back(act.shape);
        token.issued = model_.list(prefix_);
    }
    if (freed != kNobody && act.may_wait && option.reason == Reason::waited) {
        hypothesis.tokens[freed].hold = 2;
    } else if (option.reason == Reason::kept && hypothesis.head(act.pool) < hypothesis.queue.size()) {
        token.hold = 1;
    }
    token.outstanding += counted ? 0 : 1;
    note.chain = token.chain;
    hypothesis.notes.push_back(note);
    hypothesis.flights.push_back({act.exchange, slot});
}

void Simulation::response_options(const Hypothesis& hypothesis, const Segment& segment, const Act& act) {
    const Slot own = hypothesis.of_unit(act.unit);
    bool stimulated = false;
    for (const Slot slot : hypothesis.stimulated) {
        if (slot == kNobody) {
            continue;
        }
        stimulated = true;
        const Token& token = hypothesis.tokens[slot];
        const double responds = std::max(model_.probability(token.history, Step::respond), 1e-4);
        if (token.unit == act.unit && !token.virtually) {
            options_.push_back({.slot = slot, .reason = Reason::reply, .probability = responds});
        } else if (token.virtually) {
            // A name is exchanged with an equal that is not firm either; never taken from one whose chain began with the request.
            const bool free_name = own == kNobody || own == slot || hypothesis.tokens[own].virtually || hypothesis.tokens[own].blurred;
            const bool same_route = own == kNobody || hypothesis.tokens[own].history.route == token.history.route;
            options_.push_back({.slot = slot, .reason = Reason::reply, .probability = responds * (free_name && same_route ? 1 : 1e-7)});
        }
    }
    if (own != kNobody && hypothesis.tokens[own].state == Token::State::sleeping && (segment.last || !stimulated)) {
        const Token& token = hypothesis.tokens[own];
        Option option{.slot = own, .reason = Reason::woke, .probability = std::max(model_.probability(token.history, Step::respond), 1e-4)};
        const Delays* const delays = model_.delays(token.before_sleep);
        option.probability *= delays != nullptr && delays->known() ? delays->wakes_within(segment.turn_before - token.since - std::chrono::milliseconds(2), segment.at - token.since) : 0.05;
        option.woken = true;
        option.from = segment.turn_before;
        option.to = segment.at;
        options_.push_back(option);
    }
    options_.push_back({.slot = kNobody, .reason = Reason::unexplained, .probability = kWrongResponse});
}

void Simulation::respond(Hypothesis& hypothesis, const Act& act, const Option& option) {
    Slot slot = option.slot;
    const Slot own = hypothesis.of_unit(act.unit);
    Hypothesis::Note note;
    note.kind = Hypothesis::Note::Kind::response;
    note.serial = serial_;
    note.unit = act.unit;
    if (slot == kNobody) {
        // Not whom we expected. The one whose reply was read has been taken for another, who goes on in its place.
        note.agrees = false;
        const auto taken = std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [](Slot each) { return each != kNobody; });
        slot = taken != hypothesis.stimulated.end() ? *taken : own;
        if (slot == kNobody) {
            return;
        }
    } else if (option.woken) {
        wake(hypothesis, slot, option, {});
    }
    Token& token = hypothesis.tokens[slot];
    note.chain = token.chain;
    if (own != kNobody && own != slot) {
        std::swap(hypothesis.tokens[own].unit, token.unit);
        if (!note.agrees) {
            std::swap(hypothesis.tokens[own].chain, token.chain);
        }
    }
    if (token.issued != Step::respond) {
        token.path = step(token.path, token.issued, token.hold, {}, false);
        token.hold = 0;
    }
    note.path = step(token.path, Step::respond, token.hold, {}, false);
    hypothesis.notes.push_back(note);
    hypothesis.release(slot);
}

/// What a token did of which nothing was seen behind its reply.
void Simulation::continuation_options(const Hypothesis& hypothesis, Slot slot) {
    const Token& token = hypothesis.tokens[slot];
    if (token.state != Token::State::running) {
        return;
    }
    if (token.issued != Step::respond || hypothesis.held.end() != std::find_if(hypothesis.held.begin(), hypothesis.held.end(), [&](const Hypothesis::Held& held) { return held.slot == slot && held.connecting; })) {
        options_.push_back({.slot = slot, .reason = Reason::reply, .probability = 1, .step = Step::first_list});
        return;
    }
    if (token.outstanding > 0) {
        options_.push_back({.slot = slot, .probability = std::max(kLeast, model_.probability(token.history, Step::join)), .step = Step::join});
    }
    for (std::size_t index = 0; index < pools_.size(); ++index) {
        const Pool& of = pools_[index];
        if (of.waits && of.open > 0 && of.open <= of.busy) {
            const auto id = static_cast<PoolId>(index);
            options_.push_back({.slot = slot, .reason = Reason::waited, .probability = model_.issues(token.history, id), .step = Step::first_list, .pool = id});
        }
    }
    const double alone = token.outstanding > 0 ? 0.1 : 1;
    options_.push_back({.slot = slot, .probability = std::max(kLeast, alone * model_.probability(token.history, Step::sleep)), .step = Step::sleep});
}

void Simulation::go_on(Hypothesis& hypothesis, Slot slot, const Option& option, Instant at) {
    Token& token = hypothesis.tokens[slot];
    switch (option.step) {
        case Step::join:
            token.path = step(token.path, Step::join, token.hold, {}, false);
            token.hold = 0;
            token.history = token.history.then(Step::join);
            break;
        case Step::sleep: {
            hypothesis.sleep(slot, at);
            Hypothesis::Note note;
            note.kind = Hypothesis::Note::Kind::sleep;
            note.serial = serial_;
            note.chain = token.chain;
            note.sleepers = token.history.all;
            note.from = at;
            note.delays = model_.delays(token.before_sleep);
            hypothesis.notes.push_back(note);
            break;
        }
        default:
            if (option.reason == Reason::waited) {
                token.state = Token::State::waiting;
                hypothesis.queue.push_back({slot, option.pool, at, {}});
            } else {
                close_list(hypothesis, slot, at);
            }
            break;
    }
}

/// What it wrote in this segment was a list; what the pool had no connection for waits.
void Simulation::close_list(Hypothesis& hypothesis, Slot slot, Instant at) {
    Token& token = hypothesis.tokens[slot];
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
                hypothesis.queue.push_back({slot, static_cast<PoolId>(index), at, shape});
                ++token.outstanding;
            }
            list = likely;
            break;
        }
    }
    token.path = step(token.path, list, token.hold, {}, false);
    token.hold = 0;
    token.history = token.history.then(list);
    token.issued = Step::respond;
}

}  // namespace timesink::infer
