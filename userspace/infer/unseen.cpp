#include <algorithm>
#include <array>
#include <utility>

#include "infer/simulation.hpp"

// Units whose begin was not seen, or of which it is not known any more what they did: after an attach, a loss, or when all that
// the hypotheses foresaw was wrong. Which of them does what cannot be told, nor need it be: who waits for a connection in
// front of those that are known decides when these get theirs. Tokens of kUnknownRoute stand for them while they wait or have
// something outstanding; asleep they are not in sight, for nothing tells one of them from another. When all of them have
// responded, the doubt is nearly over.

namespace timesink::infer {

namespace {

/// Nothing is known of what was, whoever is found to have slept meanwhile.
constexpr double kWakesOnce = 0.003;
/// A response of theirs in the segment that read another's reply; more of them than there can be.
constexpr double kContradiction = 1e-3;
/// A statement that is known to be nobody's may have been that of whoever is likelier to have sent it.
constexpr double kMight = 0.05;

}  // namespace

void Simulation::lost(std::span<const UnitId> in_flight) {
    begin_anew(in_flight);
    hypotheses_.assign(1, Hypothesis{});
    connections_ = {};
    pools_.clear();
}

/// What is outstanding is known all the same, and what those do that have asked it is as likely as of others that did the same.
void Simulation::begin_anew(std::span<const UnitId> in_flight) {
    commit(0);
    chains_.give_up();
    const Hypothesis before = std::move(hypotheses_.front());
    hypotheses_.assign(1, Hypothesis{});
    unseen_.assign(in_flight.begin(), in_flight.end());
    in_doubt_ = true;
    derailed_ = spent_ = false;
    foreseen_ = ~std::uint32_t{0};
    foreseen_in_a_row_ = 0;
    chains_.doubt(true);
    for (const Hypothesis::Flight& flight : before.flights) {
        Token unknown;
        unknown.state = Token::State::running;
        unknown.chain = chain_of(flight.exchange);
        unknown.history = History::begin(kUnknownRoute);
        if (flight.slot != kNobody) {
            const Token& was = before.tokens[flight.slot];
            const bool writes = was.issued != Step::respond;
            unknown.history =
                unknown.history.then(writes ? was.history.last : was.history.before).then(writes ? was.issued : was.history.last);
        }
        unknown.outstanding = 1;
        unknown.path = start_path(unknown.history);
        hypotheses_.front().flights.push_back({flight.exchange, hypotheses_.front().tokens.add(unknown)});
    }
}

/// How many of them are known to wait or to have something outstanding.
std::size_t Simulation::in_sight(const Hypothesis& hypothesis) {
    std::size_t count = 0;
    for (std::size_t slot = 0; slot < hypothesis.tokens.size(); ++slot) {
        const Token& token = hypothesis.tokens[slot];
        count += token.state != Token::State::free && token.is_unseen() ? 1 : 0;
    }
    return count;
}

/// P(one of them that is not in sight comes next, for a connection that is free). Those that waited before we looked are served
/// before all others; once one of these was, whoever comes has slept.
double Simulation::comes_unseen(Hypothesis& hypothesis, PoolId pool) const {
    const std::size_t known = in_doubt_ ? in_sight(hypothesis) : 0;
    if (!in_doubt_ || known > unseen_.size()) {
        return 0;
    }
    const auto others = static_cast<double>(unseen_.size() + 1 - known);  // one more: of nobody's
    return hypothesis.served(pool) == Instant{} ? others / (others + 1) : std::min(kWakesOnce * others, 0.5);
}

/// P(this is what it asks).
double Simulation::asked_by_unseen(const Act& act) const {
    constexpr double kNameless = 0.3;
    const std::array<Shape, 1> first{act.shape};
    return act.nameless ? kNameless : model_.begins(History::begin(kUnknownRoute), first);
}

/// P(it sleeps | it was thought to wait). Of those that are known it is told apart when they go on.
double Simulation::sleeps_instead(const Token& token) const {
    constexpr double kLeast = 0.02;
    return token.is_unseen() ? std::clamp(model_.probability(token.history, Step::sleep), kLeast, 0.5) : 0;
}

/// Whoever waited behind them is served: they did not wait.
void Simulation::release_phantoms(Hypothesis& hypothesis, PoolId pool, Slot served) {
    const Hypothesis::Queue& queue = hypothesis.queue(pool);
    if (std::none_of(queue.begin(), queue.end(), [&](const Hypothesis::Waiting& waiting) { return waiting.slot == served; })) {
        return;
    }
    while (queue.front().slot != served && hypothesis.tokens[queue.front().slot].is_unseen()) {
        hypothesis.release(queue.front().slot);
    }
}

/// Of others that did the same last some keep their connections, some do not: this one does as it did before.
Hypothesis::Habit Simulation::habit_of_unseen(const Token& token) {
    constexpr std::uint16_t kSure = 4;
    return {kUnknownRoute, token.keeps == Told::yes ? kSure : std::uint16_t{0},
            token.keeps == Told::no ? kSure : std::uint16_t{0}};
}

/// A statement of nobody that is known. While not everybody is known, it stands for one of those that are not.
void Simulation::issue_unknown(Hypothesis& hypothesis, const Act& act, Note note) {
    // Whoever might have sent it is perhaps a step further than is thought; in a loop of equal statements nothing would ever show
    // it.
    for (std::size_t slot = 0; slot < hypothesis.tokens.size(); ++slot) {
        const Token& token = hypothesis.tokens[slot];
        if (!token.doubted && token.state != Token::State::free && begins(hypothesis, token, act) > kMight) {
            hypothesis.tokens.change(slot).doubted = true;
        }
    }
    const std::array<Shape, 1> first{act.shape};
    Token unknown;
    unknown.state = Token::State::running;
    unknown.chain = note.chain = chain_of(act.exchange);
    unknown.history = History::begin(kUnknownRoute).then(model_.list(first));
    unknown.outstanding = 1;
    unknown.path = start_path(unknown.history);
    hypothesis.notes.push_back(note);
    hypothesis.flights.push_back({act.exchange, in_doubt_ ? hypothesis.tokens.add(unknown) : kNobody});
}

/// A reply to what was asked before we looked: one of them goes on. kNobody: it may be nobody's.
Slot Simulation::answered_unseen(Hypothesis& hypothesis, const Stimulus& stimulus) {
    if (!in_doubt_ || stimulus.sender != Sender::unit || in_sight(hypothesis) >= unseen_.size()) {
        return kNobody;
    }
    Token unknown;
    unknown.state = Token::State::running;
    unknown.chain = chain_of(stimulus.exchange);
    unknown.history = History::begin(kUnknownRoute);
    unknown.path = start_path(unknown.history);
    return hypothesis.tokens.add(unknown);
}

/// One of them has responded: in the segment of a token that stands for them.
void Simulation::respond_unseen() {
    for (Hypothesis& hypothesis : hypotheses_) {
        Slot likeliest = kNobody;
        double most = 0;
        for (const Slot slot : hypothesis.stimulated) {
            if (slot == kNobody || !hypothesis.tokens[slot].is_unseen()) {
                continue;
            }
            const double responds = std::max(kContradiction, model_.probability(hypothesis.tokens[slot].history, Step::respond));
            likeliest = responds > most ? slot : likeliest;
            most = std::max(most, responds);
        }
        hypothesis.weight *= likeliest != kNobody ? most : kContradiction;
        if (likeliest != kNobody) {
            hypothesis.release(likeliest);
        }
        hypothesis.weight *= in_sight(hypothesis) > unseen_.size() ? kContradiction : 1;
    }
}

/// Of those whose begin was not seen nothing is known that would tell when they wake.
void Simulation::sleep(Hypothesis& hypothesis, Slot slot, Instant at) {
    if (hypothesis.tokens[slot].is_unseen()) {
        hypothesis.release(slot);
    } else {
        hypothesis.sleep(slot, at);
    }
}

}  // namespace timesink::infer
