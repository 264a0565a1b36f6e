#include <algorithm>
#include <array>

#include "infer/simulation.hpp"

// What may have happened at each thing that is seen, and what it does to a hypothesis.

namespace timesink::infer {

namespace {

/// Nobody that is known can have sent it.
constexpr double kUnexplained = 1e-7;
/// While units are in flight whose begin was not seen, any statement may be theirs.
constexpr double kUnseen = 0.3;
/// Against the order of the pool.
constexpr double kOutOfTurn = 1e-4;
/// A response in the segment of another's reply.
constexpr double kWrongResponse = 1e-9;
constexpr double kLeast = 1e-9;
/// Responds while its own statements are outstanding.
constexpr double kNotWaitedFor = 0.02;
/// It could have written at once, and did not.
constexpr double kPutOff = 0.3;

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
            option.from = this_turn();
            option.to = now_ + Duration(1);
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
        option.from = this_turn();
        option.to = now_ + Duration(1);
        options_.push_back(option);
        return;
    }
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    free_connection_options(hypothesis, segment, act, freed);
    options_.push_back({.reason = Reason::unexplained,
                        .probability = in_doubt_ && in_sight(hypothesis) < unseen_.size() + 1 ? kUnseen : kUnexplained});
}

void Simulation::free_connection_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, Slot freed) {
    const bool pipelined = pool(act.pool).pipelined;
    double given_back = 1;
    if (freed != kNobody && act.may_wait && !pipelined) {
        const Token& owner = hypothesis.tokens[freed];
        // What its route did before, it does again: that is how its code is written.
        constexpr double kHabit = 2;
        const Hypothesis::Habit& habit = hypothesis.habit(owner.history.route);
        const double kept = (model_.holds(owner.history) + kHabit * habit.kept) / (1 + kHabit * (habit.kept + habit.given_back));
        // With nothing left to ask for, nobody keeps it.
        given_back = 1 - kept * std::min(1.0, model_.issues(owner.history, act.pool));
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
            expected =
                std::min(1.0, model_.begins(token.history, first) / std::max(model_.issues(token.history, act.pool), kLeast));
        }
        // Whoever woke before the longest waiter began to wait, waits longer.
        const double none_before = sleeper_options(hypothesis, act, hypothesis.served(act.pool), waiting.position, given_back);
        options_.push_back(
            {.slot = waiting.slot, .reason = Reason::waited, .probability = given_back * none_before * expected, .entry = head});
    }
    const double in_turn = head < hypothesis.queue.size() ? kOutOfTurn : 1;
    if (segment.last && head >= hypothesis.queue.size()) {
        deferred_options(hypothesis, act, given_back);
    }
    const bool stimulated = continuing_options(hypothesis, act, given_back * in_turn);
    if (head >= hypothesis.queue.size()) {
        const bool waited = freed != kNobody && !pipelined && act.may_wait;
        if (segment.last || !stimulated || waited) {
            sleeper_options(hypothesis, act, waited ? hypothesis.served(act.pool) : this_turn(), now_ + Duration(1), given_back);
        }
    }
    for (std::size_t slot = 0; slot < hypothesis.tokens.size(); ++slot) {
        const Token& token = hypothesis.tokens[slot];
        const bool listed =
            std::find(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), slot) != hypothesis.stimulated.end();
        if (token.state == Token::State::running && token.issued != Step::respond && !listed) {
            options_.push_back(
                {.slot = static_cast<Slot>(slot), .reason = Reason::woke, .probability = extends(token, act.shape)});
        }
    }
}

/// Whoever was read of in this segment goes on: in the order of the replies where there are several. False: there is nobody.
bool Simulation::continuing_options(const Hypothesis& hypothesis, const Act& act, double factor) {
    std::size_t acted = 0;  // the last one that wrote: those before it had their turn
    for (std::size_t i = 0; i < hypothesis.stimulated.size(); ++i) {
        const Slot slot = hypothesis.stimulated[i];
        acted = slot != kNobody && hypothesis.tokens[slot].issued != Step::respond ? i : acted;
    }
    bool any = false;
    double passed_over = 1;
    for (std::size_t i = 0; i < hypothesis.stimulated.size(); ++i) {
        const Slot slot = hypothesis.stimulated[i];
        if (slot == kNobody || hypothesis.tokens[slot].state != Token::State::running) {
            continue;
        }
        any = true;
        const Token& token = hypothesis.tokens[slot];
        const bool own_request = token.history.all == History::begin(token.history.route).all;
        options_.push_back({.slot = slot,
                            .reason = own_request ? Reason::request : Reason::reply,
                            .probability = factor * passed_over * (i < acted ? kOutOfTurn : 1) * extends(token, act.shape)});
        if (i >= acted && token.issued == Step::respond) {
            passed_over *= std::max(kLeast, 1 - issues_now(token));
        }
    }
    return any;
}

/// In the last segment of a turn: whoever put off what it had to write, in order. Returns the probability that none of them has
/// anything left for this pool.
double Simulation::deferred_options(const Hypothesis& hypothesis, const Act& act, double factor) {
    const std::array<Shape, 1> first{act.shape};
    double passed_over = 1;
    for (const Slot slot : hypothesis.deferred) {
        const Token& token = hypothesis.tokens[slot];
        options_.push_back({.slot = slot,
                            .reason = Reason::deferred,
                            .probability = factor * passed_over * model_.begins(token.history, first)});
        passed_over *= std::max(kOutOfTurn, 1 - issues_now(token));
    }
    return passed_over;
}

/// P(it writes a statement at once | its history): to a pool that has a connection free, or needs none.
double Simulation::issues_now(const Token& token) const {
    double sum = 0;
    for (std::size_t index = 0; index < pools_.size(); ++index) {
        const Pool& of = pools_[index];
        const bool waits = of.waits && of.open > 0 && of.open <= of.busy;
        sum += waits ? 0 : model_.issues(token.history, static_cast<PoolId>(index));
    }
    return std::min(sum, 1.0);
}

/// One option for each kind of sleepers that may have woken in (from, to]. Returns the probability that none of them did.
double Simulation::sleeper_options(const Hypothesis& hypothesis, const Act& act, Instant from, Instant to, double factor) {
    if (hypothesis.sleeping == 0) {
        return 1;
    }
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
        const double wakes = this->wakes(token, from, to).probability;
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

/// The last turn that has ended, this one included.
Instant Simulation::this_turn() const {
    return turn_ends_.empty() ? Instant{} : turn_ends_.back().position;
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
    const Wake woke = wakes(token, option.from, option.to);
    const Instant earliest = std::max(woke.from, token.since);
    constexpr Duration kNarrow = std::chrono::microseconds(1200);  // as good as the timers' own clock
    const bool known = !equals && woke.to - earliest <= kNarrow;
    const Duration most = earliest + (woke.to - earliest) / 2 - token.since;
    token.path = slept(token.path, most, known);
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
        note.from = woke.from;
        note.to = woke.to;
        hypothesis.notes.push_back(note);
    }
}

/// Tokens that stand for units whose begin was not seen.
std::size_t Simulation::in_sight(const Hypothesis& hypothesis) {
    return static_cast<std::size_t>(std::count_if(hypothesis.tokens.begin(), hypothesis.tokens.end(), [](const Token& token) {
        return token.state != Token::State::free && token.history.route == kUnknownRoute;
    }));
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
        Token unknown;
        unknown.state = Token::State::running;
        unknown.chain = note.chain = chain_of(act.exchange);
        unknown.history = History::begin(kUnknownRoute);
        unknown.outstanding = 1;
        unknown.path = start_path(unknown.history);
        hypothesis.notes.push_back(note);
        hypothesis.flights.push_back({act.exchange, in_doubt_ ? hypothesis.add(unknown) : kNobody});
        return;
    }
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    if (option.woken) {
        wake(hypothesis, slot, option, act.exchange);
    }
    if (option.reason == Reason::deferred) {
        std::erase(hypothesis.deferred, slot);
        hypothesis.tokens[slot].state = Token::State::running;
    }
    Token& token = hypothesis.tokens[slot];
    bool counted = option.reason == Reason::connected;
    if (option.reason == Reason::waited || token.state == Token::State::waiting) {
        const auto entry =
            std::find_if(hypothesis.queue.begin(), hypothesis.queue.end(),
                         [&](const Hypothesis::Waiting& waiting) { return waiting.slot == slot && waiting.pool == act.pool; });
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
                token.path = step(token.path, list);
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
    const bool others_wait = hypothesis.head(act.pool) < hypothesis.queue.size();
    if (freed != kNobody && act.may_wait && (option.reason == Reason::waited || (option.reason == Reason::kept && others_wait))) {
        constexpr double kHadMore = 0.5;
        constexpr std::uint16_t kMost = 1000;
        const Token& before = hypothesis.tokens[freed];
        note.hold = option.reason == Reason::kept ? Hypothesis::Told::yes : Hypothesis::Told::no;
        note.history = before.history;
        if (model_.issues(before.history, act.pool) > kHadMore) {
            Hypothesis::Habit& habit = hypothesis.habit(before.history.route);
            std::uint16_t& times = option.reason == Reason::kept ? habit.kept : habit.given_back;
            times += times < kMost ? 1 : 0;
        }
    } else if (option.reason == Reason::deferred ||
               ((option.reason == Reason::reply || option.reason == Reason::request) && !segment.last)) {
        note.defer = option.reason == Reason::deferred ? Hypothesis::Told::yes : Hypothesis::Told::no;
        note.history = token.history;
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
        // What is sent and not waited for is rare.
        const bool unfinished = token.issued != Step::respond || token.outstanding > 0;
        const History history = token.issued != Step::respond ? token.history.then(token.issued) : token.history;
        const double responds =
            std::max(model_.probability(history, Step::respond) * (unfinished ? kNotWaitedFor : 1), 1e-4 * kNotWaitedFor);
        if (token.unit == act.unit && !token.virtually) {
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
        option.from = this_turn();
        option.to = now_ + Duration(1);
        option.probability *= wakes(token, option.from, option.to).probability;
        option.woken = true;
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
        const auto taken =
            std::find_if(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), [](Slot each) { return each != kNobody; });
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
        token.path = step(token.path, token.issued);
    }
    note.path = step(token.path, Step::respond);
    hypothesis.notes.push_back(note);
    hypothesis.release(slot);
}

/// What a token did of which nothing was seen behind its reply.
void Simulation::continuation_options(const Hypothesis& hypothesis, Slot slot) {
    const Token& token = hypothesis.tokens[slot];
    if (token.state != Token::State::running) {
        return;
    }
    if (token.issued != Step::respond ||
        hypothesis.held.end() != std::find_if(hypothesis.held.begin(), hypothesis.held.end(), [&](const Hypothesis::Held& held) {
            return held.slot == slot && held.connecting;
        })) {
        options_.push_back({.slot = slot, .reason = Reason::reply, .probability = 1, .step = Step::first_list});
        return;
    }
    if (token.outstanding > 0) {
        options_.push_back(
            {.slot = slot, .probability = std::max(kLeast, model_.probability(token.history, Step::join)), .step = Step::join});
    }
    double put_off = 0;
    for (std::size_t index = 0; index < pools_.size(); ++index) {
        const Pool& of = pools_[index];
        const auto id = static_cast<PoolId>(index);
        if (of.waits && of.open > 0 && of.open <= of.busy) {
            const double issues = model_.issues(token.history, id);
            const double deferred = model_.defers(token.history);
            options_.push_back({.slot = slot,
                                .reason = Reason::waited,
                                .probability = issues * (1 - deferred),
                                .step = Step::first_list,
                                .pool = id});
            put_off += issues * deferred;
        } else {
            put_off += model_.issues(token.history, id) * kPutOff;
        }
    }
    if (put_off > 0) {
        options_.push_back({.slot = slot, .reason = Reason::deferred, .probability = put_off, .step = Step::first_list});
    }
    const double alone = token.outstanding > 0 ? 0.1 : 1;
    options_.push_back({.slot = slot,
                        .probability = std::max(kLeast, alone * model_.probability(token.history, Step::sleep)),
                        .step = Step::sleep});
}

void Simulation::go_on(Hypothesis& hypothesis, Slot slot, const Option& option, Instant at) {
    Token& token = hypothesis.tokens[slot];
    switch (option.step) {
        case Step::join:
            token.path = step(token.path, Step::join);
            token.history = token.history.then(Step::join);
            break;
        case Step::sleep: {
            hypothesis.sleep(slot, turn_begin_);
            Hypothesis::Note note;
            note.kind = Hypothesis::Note::Kind::sleep;
            note.serial = serial_;
            note.chain = token.chain;
            note.sleepers = token.history.all;
            note.from = turn_begin_;
            note.delays = model_.delays(token.before_sleep);
            hypothesis.notes.push_back(note);
            break;
        }
        default:
            if (option.reason == Reason::waited) {
                token.state = Token::State::waiting;
                hypothesis.queue.push_back({slot, option.pool, at, {}});
            } else if (option.reason == Reason::deferred) {
                token.state = Token::State::deferred;
                hypothesis.deferred.push_back(slot);
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
    token.path = step(token.path, list);
    token.history = token.history.then(list);
    token.issued = Step::respond;
}

}  // namespace timesink::infer
