#include <algorithm>
#include <array>

#include "infer/simulation.hpp"

// Who may have sent a statement, and what that does to a hypothesis.

namespace timesink::infer {

namespace {

/// Nobody that is known can have sent it.
constexpr double kUnexplained = 1e-7;
/// Against the order of the pool.
constexpr double kOutOfTurn = 1e-4;
/// That a statement is that of a token which may be elsewhere.
constexpr double kOfDoubted = 0.5;

}  // namespace

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
            constexpr double kElsewhere = 0.01;  // not in the phase that wakes what it is thought to have waited for
            const Token::State state = hypothesis.tokens[slot].state;
            const bool phase = state == Token::State::sleeping   ? !told_.timers || segment.timers
                               : state == Token::State::deferred ? segment.immediates
                                                                 : true;
            Option option{.slot = slot, .reason = Reason::alone, .probability = phase ? 1 : kElsewhere};
            option.woken = state == Token::State::sleeping;
            option.from = wakes_since(segment);
            option.to = now_ + Duration(1);
            options_.push_back(option);
            return;
        }
    }
    const auto held = std::find_if(hypothesis.held.begin(), hypothesis.held.end(),
                                   [&](const Hypothesis::Held& each) { return each.connection == act.connection; });
    const bool other = held != hypothesis.held.end() && held->prepared != Shape{} && held->prepared != act.shape;
    if (held != hypothesis.held.end() && held->slot != kNobody && !other) {
        const Token& token = hypothesis.tokens[held->slot];
        Option option{.slot = held->slot, .reason = held->connecting ? Reason::connected : Reason::transaction};
        option.probability =
            held->prepared == act.shape ? 1 : std::max(extends(token, meant(hypothesis, token, act)), kOutOfTurn);
        option.woken = token.state == Token::State::sleeping;
        option.from = wakes_since(segment);
        option.to = now_ + Duration(1);
        options_.push_back(option);
        return;
    }
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    const double unseen = comes_unseen(hypothesis, act.pool);
    const double given_back = free_connection_options(hypothesis, segment, act, freed, unseen);
    options_.push_back(
        {.reason = Reason::unexplained, .probability = std::max(given_back * unseen * asked_by_unseen(act), kUnexplained)});
}

/// `unseen`: the probability that one of those comes before the longest waiter. Returns the probability that it is free to others
/// than its owner.
double Simulation::free_connection_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, Slot freed,
                                           double unseen) {
    const std::size_t others = options_.size();
    const bool pipelined = pool(act.pool).pipelined;
    double given_back = kept_options(hypothesis, act, freed);
    const bool late = pool(act.pool).late;
    const Hypothesis::Waiting* head = hypothesis.head(act.pool);
    if (late && head != nullptr && head->given == Instant{}) {
        head = nullptr;  // it would have got its connection when that was given back
    }
    if (head != nullptr) {
        given_back *= late ? asked_before(hypothesis, act.pool, head->given) : 1;
        // Whoever woke before the longest waiter began to wait, waits longer.
        const double none_before = sleeper_options(hypothesis, act, hypothesis.served(act.pool), head->position, given_back);
        waiting_options(hypothesis, act, given_back * (1 - unseen) * none_before);
    }
    const double in_turn = head != nullptr ? kOutOfTurn : 1;
    double none_deferred = 1;
    if (segment.immediates && (late || head == nullptr)) {
        none_deferred = deferred_options(hypothesis, segment, act, given_back);
    }
    // A late driver writes in the order in which it was asked: whose reply is read in the turn's last segment comes last.
    const bool stimulated = continuing_options(hypothesis, segment, act, given_back * in_turn * (late ? none_deferred : 1));
    if (head == nullptr) {
        const bool waited = freed != kNobody && !pipelined && act.may_wait;
        if (segment.last || !stimulated || waited || (late && segment.immediates)) {
            sleeper_options(hypothesis, act, waited ? hypothesis.served(act.pool) : wakes_since(segment, late),
                            now_ + Duration(1), given_back);
        }
    }
    writing_options(hypothesis, act);
    if (late && pipelined && segment.immediates) {
        in_order_of_asking(hypothesis, others);
    }
    return given_back;
}

/// P(it asks this | it has waited for a connection of this pool).
double Simulation::asks_as_expected(const Hypothesis& hypothesis, const Hypothesis::Waiting& waiting, const Act& act) const {
    if (waiting.shape != Shape{}) {
        return act.nameless || waiting.shape == act.shape ? 1 : kOutOfTurn;
    }
    const Token& token = hypothesis.tokens[waiting.slot];
    return std::min(1.0, begins(hypothesis, token, act) / std::max(model_.issues(token.history, act.pool), kLeastProbability));
}

/// Whoever has waited longest. Of those whose begin was not seen it is not sure that they wait at all.
void Simulation::waiting_options(Hypothesis& hypothesis, const Act& act, double factor) {
    for (const Hypothesis::Waiting& waiting : hypothesis.queue(act.pool)) {
        const double expected = asks_as_expected(hypothesis, waiting, act);
        options_.push_back({.slot = waiting.slot, .reason = Reason::waited, .probability = factor * expected});
        factor *= sleeps_instead(hypothesis.tokens[waiting.slot]);
        if (factor < kOutOfTurn) {
            return;
        }
    }
}

/// Whoever read the reply that freed this connection keeps it. Returns the probability that it was given back.
double Simulation::kept_options(Hypothesis& hypothesis, const Act& act, Slot freed) {
    if (freed == kNobody || !act.may_wait || pool(act.pool).pipelined) {
        return 1;
    }
    const Token& owner = hypothesis.tokens[freed];
    // What its route did before, it does again: that is how its code is written.
    constexpr double kHabit = 2;
    const Hypothesis::Habit habit = owner.is_unseen() ? habit_of_unseen(owner) : hypothesis.habit(owner.history.route);
    double kept = (model_.holds(owner.history) + kHabit * habit.kept) / (1 + kHabit * (habit.kept + habit.given_back));
    // A driver that writes at the ends of turns has given it back by then, unless it was told to reserve it.
    constexpr double kReserved = 0.01;
    kept = pool(act.pool).late ? std::min(kept, kReserved) : kept;
    options_.push_back(
        {.slot = freed, .reason = Reason::kept, .probability = kept * extends(owner, meant(hypothesis, owner, act))});
    // With nothing left to ask for, nobody keeps it.
    return 1 - kept * std::min(1.0, model_.issues(owner.history, act.pool));
}

/// Whoever has written in this segment without having been read of in it writes more.
void Simulation::writing_options(Hypothesis& hypothesis, const Act& act) {
    for (const Slot slot : hypothesis.writers) {
        const Token& token = hypothesis.tokens[slot];
        if (token.state != Token::State::running || token.issued == Step::respond) {
            continue;
        }
        const bool listed =
            std::find(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), slot) != hypothesis.stimulated.end();
        if (!listed) {
            options_.push_back(
                {.slot = slot, .reason = Reason::woke, .probability = extends(token, meant(hypothesis, token, act))});
        }
    }
}

/// Whoever was read of in this segment goes on: on one pool in the order of the replies where there are several; different
/// drivers take different times to write. False: there is nobody.
bool Simulation::continuing_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, double factor) {
    const bool ordered = order_tells(hypothesis, segment, act);
    std::size_t acted = 0;  // the last one that wrote: those before it had their turn
    for (std::size_t i = 0; i < hypothesis.stimulated.size(); ++i) {
        const Slot slot = hypothesis.stimulated[i];
        acted = slot != kNobody && model_.touches(hypothesis.tokens[slot].issued, act.pool) ? i : acted;
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
        const double at_once = ordered && token.issued == Step::respond ? 1 - puts_off(hypothesis, token, segment, false) : 1;
        const bool own_request = token.history.all == History::begin(token.history.route).all;
        options_.push_back({.slot = slot,
                            .reason = own_request ? Reason::request : Reason::reply,
                            .probability = factor * passed_over * (i < acted ? kOutOfTurn : 1) * at_once *
                                           extends(token, meant(hypothesis, token, act))});
        if (i >= acted && token.issued == Step::respond) {
            passed_over *= std::max(kLeastProbability, 1 - issues_now(token, act.pool));
        }
    }
    return any;
}

/// Others have put off what they have to write: what is written at once in the last segment of the turn comes before theirs, what
/// is put off there, behind.
bool Simulation::order_tells(const Hypothesis& hypothesis, const Segment& segment, const Act& act) const {
    return told_.immediates && segment.immediates && !act.late && !hypothesis.deferred.empty();
}

/// In the last segment of a turn: whoever put off what it had to write, in order. Returns the probability that none of them has
/// anything left for this pool.
double Simulation::deferred_options(Hypothesis& hypothesis, const Segment& segment, const Act& act, double factor) {
    double passed_over = 1;
    for (const Slot slot : hypothesis.stimulated) {
        if (slot == kNobody || !order_tells(hypothesis, segment, act)) {
            continue;
        }
        const Token& token = hypothesis.tokens[slot];
        if (token.state == Token::State::running && token.issued == Step::respond) {
            const double at_once = issues_now(token, act.pool) * (1 - puts_off(hypothesis, token, segment, false));
            passed_over *= std::max(kOutOfTurn, 1 - at_once);
        }
    }
    for (const Slot slot : hypothesis.deferred) {
        const Token& token = hypothesis.tokens[slot];
        options_.push_back(
            {.slot = slot, .reason = Reason::deferred, .probability = factor * passed_over * begins(hypothesis, token, act)});
        passed_over *= std::max(kOutOfTurn, 1 - issues_now(token, act.pool));
    }
    return passed_over;
}

/// P(it writes a statement to this pool at once | its history): where that has a connection free, or needs none.
double Simulation::issues_now(const Token& token, PoolId id) const {
    const auto index = static_cast<std::size_t>(id);
    const bool waits =
        index < pools_.size() && pools_[index].waits && pools_[index].open > 0 && pools_[index].open <= pools_[index].busy;
    return waits ? 0 : std::min(1.0, model_.issues(token.history, id));
}

/// One option for each kind of sleepers that may have woken in (from, to]. Returns the probability that none of them did.
double Simulation::sleeper_options(const Hypothesis& hypothesis, const Act& act, Instant from, Instant to, double factor) {
    if (hypothesis.sleepers.empty()) {
        return 1;
    }
    const Wake turns = turns_in(from, to);
    kinds_.clear();
    for (const Slot slot : hypothesis.sleepers) {
        const Token& token = hypothesis.tokens[slot];
        auto kind =
            std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& each) { return each.history == token.history.all; });
        if (kind == kinds_.end()) {
            const Delays* const delays = turns.any ? model_.delays(token.before_sleep) : nullptr;
            const double wakes = this->wakes(token, turns, delays);
            kinds_.push_back({token.history.all, slot, wakes, 1 - wakes, delays});
            continue;
        }
        const double wakes = this->wakes(token, turns, kind->delays);
        kind->none *= 1 - wakes;
        // Of equal ones, the one asleep longest, unless that is implausible.
        const bool longer = token.since < hypothesis.tokens[kind->best].since;
        if ((longer && wakes > 0.2 * kind->best_wakes) || (!longer && kind->best_wakes < 0.2 * wakes)) {
            kind->best = slot;
        }
        kind->best_wakes = std::max(kind->best_wakes, wakes);
    }
    double none = 1;
    for (const Kind& kind : kinds_) {
        none *= std::max(kind.none, 0.01);
        Option option{.slot = kind.best, .reason = Reason::woke};
        option.probability = factor * (1 - kind.none) * begins(hypothesis, hypothesis.tokens[kind.best], act);
        option.woken = true;
        option.from = from;
        option.to = to;
        options_.push_back(option);
    }
    return none;
}

/// Of the last turn that has ended, this one included: whoever woke in it and needed not wait has written by now.
/// Timers run at the end of a turn, so what they ask of a late driver is written at the end of the next.
Instant Simulation::wakes_since(const Segment& segment, bool late) const {
    if (told_.timers && !segment.timers) {
        return late ? immediates_at_ : now_;
    }
    return turn_ends_.empty() ? Instant{} : turn_ends_.back().position;
}

/// The sleeper goes on. Where others sleep just as it did, it may be any of them.
void Simulation::wake(Hypothesis& hypothesis, Slot slot, const Option& option, ExchangeId first) {
    hypothesis.wake(slot);
    Token& token = hypothesis.tokens.change(slot);
    bool equals = token.blurred;
    for (const Slot asleep : hypothesis.sleepers) {
        const Token& other = hypothesis.tokens[asleep];
        if (other.history == token.history) {
            equals = true;
            if (!other.blurred) {
                hypothesis.tokens.change(asleep).blurred = true;
            }
        }
    }
    // How long it slept, where that is known well enough to learn from.
    const Wake woke = wakes(token, option.from, option.to);
    const Duration least = std::max(woke.from - token.since, Duration{});
    const Duration most = woke.to - token.since;
    token.path = slept(token.path, least, most, !equals && most - least <= Chains::kNarrow);
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

/// It waited for this connection. What it issues is the begin of a list, whose rest waits in its place. True: it was counted as
/// outstanding before.
bool Simulation::serve(Hypothesis& hypothesis, Hypothesis::Note& note, Slot slot, const Act& act) {
    Token& token = hypothesis.tokens.change(slot);
    note.sender = token.history;
    token.state = Token::State::running;
    release_phantoms(hypothesis, act.pool, slot);
    Hypothesis::Queue& queue = hypothesis.queue(act.pool);
    const auto entry =
        std::find_if(queue.begin(), queue.end(), [&](const Hypothesis::Waiting& waiting) { return waiting.slot == slot; });
    if (entry == queue.end()) {
        return false;
    }
    hypothesis.served(act.pool) = entry->position;
    const Hypothesis::Waiting waiting = *entry;
    note.defer = waiting.defer;
    const auto place = queue.erase(entry);
    if (waiting.shape != Shape{}) {
        return true;
    }
    const std::array<Shape, 1> first{note.meant != Shape{} ? note.meant : act.shape};
    const Step list = model_.likeliest(token.history, first);
    const std::span<const Shape> shapes = model_.shapes(list);
    more_.clear();
    for (std::size_t i = 1; i < shapes.size(); ++i) {
        more_.push_back({.slot = slot, .position = waiting.position, .shape = shapes[i]});
        if (i < waiting.grants) {
            more_.back().given = waiting.given;
            more_.back().grants = 1;
        }
    }
    token.outstanding += static_cast<std::uint16_t>(more_.size());
    queue.insert(place, more_.begin(), more_.end());
    for (std::size_t left = shapes.size(); left < waiting.grants; ++left) {
        give(hypothesis, act.pool);
    }
    token.path = step(token.path, list);
    token.history = token.history.then(list);
    return false;
}

/// It wrote one more in this segment.
void Simulation::extend(Hypothesis& hypothesis, Slot slot, Shape shape) {
    Token& token = hypothesis.tokens.change(slot);
    prefix_.clear();
    if (token.issued != Step::respond) {
        const std::span<const Shape> written = model_.shapes(token.issued);
        prefix_.assign(written.begin(), written.end());
    }
    prefix_.push_back(shape);
    token.issued = model_.list(prefix_);
    std::vector<Slot>& writers = hypothesis.writers;
    const auto place = std::lower_bound(writers.begin(), writers.end(), slot);
    if (place == writers.end() || *place != slot) {
        writers.insert(place, slot);
    }
}

/// What this tells of whoever had the connection before, or of its own manner.
void Simulation::note_manner(Hypothesis& hypothesis, Hypothesis::Note& note, const Option& option, const Act& act,
                             const Segment& segment) {
    constexpr double kHadMore = 0.5;
    constexpr std::uint16_t kMost = 1000;
    const Slot freed = freed_by(hypothesis, segment, act.connection);
    const bool kept = option.reason == Reason::kept;
    const bool others_wait = hypothesis.head(act.pool) != nullptr;
    if (freed != kNobody && act.may_wait && (option.reason == Reason::waited || (kept && others_wait))) {
        const History& before = hypothesis.tokens[freed].history;
        note.hold = kept ? Hypothesis::Told::yes : Hypothesis::Told::no;
        note.history = before;
        if (before.route == kUnknownRoute) {
            hypothesis.tokens.change(freed).keeps = note.hold;
        } else if (model_.issues(before, act.pool) > kHadMore) {
            Hypothesis::Habit& habit = hypothesis.habit(before.route);
            std::uint16_t& times = kept ? habit.kept : habit.given_back;
            times += times < kMost ? 1 : 0;
        }
    }
    if (note.defer != Hypothesis::Told::nothing || hypothesis.tokens[option.slot].state == Token::State::waiting) {
        return;
    }
    note.sender = hypothesis.tokens[option.slot].history;
    if (option.reason == Reason::deferred) {
        note.defer = Hypothesis::Told::yes;
    } else if (!segment.stimuli.empty() && option.reason == Reason::alone && told_.immediates) {
        // Where an immediate was set it may have been its own, or the driver's.
        const bool was_set = segment.immediate_set_at != Instant{} && segment.immediate_set_at < act.at;
        note.defer = was_set ? Hypothesis::Told::either : Hypothesis::Told::no;
    } else if (!segment.stimuli.empty() && (option.reason == Reason::reply || option.reason == Reason::request)) {
        note.defer = segment.immediates ? Hypothesis::Told::nothing : Hypothesis::Told::no;
    }
}

void Simulation::issue(Hypothesis& hypothesis, const Act& act, const Option& option, const Segment& segment) {
    const Slot slot = option.slot;
    const bool carries_on =
        slot != kNobody && std::any_of(hypothesis.held.begin(), hypothesis.held.end(), [&](const Hypothesis::Held& each) {
            return each.connection == act.connection && each.slot == slot && each.prepared == act.shape;
        });
    hypothesis.unhold(act.connection);
    Hypothesis::Note note;
    note.serial = serial_;
    note.exchange = act.exchange;
    note.reason = option.reason;
    for (const Stimulus& stimulus : segment.stimuli) {
        note.cause = stimulus.unit == UnitId{} ? stimulus.exchange : note.cause;
    }
    if (slot == kNobody) {
        issue_unknown(hypothesis, act, note);
        return;
    }
    if (option.woken) {
        wake(hypothesis, slot, option, act.exchange);
    }
    if (hypothesis.tokens[slot].state == Token::State::deferred) {
        std::erase(hypothesis.deferred, slot);
        hypothesis.tokens.change(slot).state = Token::State::running;
    }
    if (act.nameless) {
        note.connection = act.connection;
        note.name = Names::name(act.shape, act.connection);
        note.meant = meant(hypothesis, hypothesis.tokens[slot], act);
        hypothesis.take_name(act.connection, note.name, note.meant);
    }
    bool counted = option.reason == Reason::connected;
    if (carries_on) {
        // Where it was not read of in this segment, the driver wrote late: nothing more is expected of it here.
        hypothesis.tokens.change(slot).carried_on =
            std::find(hypothesis.stimulated.begin(), hypothesis.stimulated.end(), slot) != hypothesis.stimulated.end();
    } else if (option.reason == Reason::waited || hypothesis.tokens[slot].state == Token::State::waiting) {
        counted = serve(hypothesis, note, slot, act);
    } else {
        extend(hypothesis, slot, note.meant != Shape{} ? note.meant : act.shape);
    }
    note_manner(hypothesis, note, option, act, segment);
    Token& token = hypothesis.tokens.change(slot);
    token.outstanding += counted ? 0 : 1;
    note.chain = token.chain;
    note.probability = token.doubted ? kOfDoubted : 1;
    hypothesis.notes.push_back(note);
    hypothesis.flights.push_back({act.exchange, slot});
    hypothesis.wrote_awoken = option.woken || (hypothesis.writing == slot && hypothesis.wrote_awoken);
    hypothesis.writing = slot;
}

}  // namespace timesink::infer
