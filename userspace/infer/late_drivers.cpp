#include <algorithm>

#include "infer/simulation.hpp"

// Drivers that write at the ends of turns only (Act::late): in which order they were asked.

namespace timesink::infer {

namespace {

/// Against that order.
constexpr double kOutOfTurn = 1e-4;

}  // namespace

/// The probability that nobody who put off what it wants took a connection of this late pool before `given`.
double Simulation::asked_before(const Hypothesis& hypothesis, PoolId pool, Instant given) const {
    double none = 1;
    for (const Slot slot : hypothesis.deferred) {
        const Token& token = hypothesis.tokens[slot];
        none *= token.since < given ? 1 - std::min(1.0, model_.issues(token.history, pool)) : 1;
    }
    return std::max(none, kOutOfTurn);
}

/// A late driver that keeps nobody waiting writes in the order in which it was asked: by the timers of the turn before, then by
/// those that were read of. Whoever asks several things at once asks them one behind the other.
void Simulation::in_order_of_asking(const Hypothesis& hypothesis, std::size_t first) {
    if (hypothesis.writing == kNobody) {
        return;
    }
    const Token& writing = hypothesis.tokens[hypothesis.writing];
    double more = 0;
    if (writing.issued != Step::respond) {
        const double begun = model_.begins(writing.history, model_.shapes(writing.issued));
        more = 1 - std::min(1.0, model_.probability(writing.history, writing.issued) / std::max(begun, kLeastProbability));
    }
    for (std::size_t i = first; i < options_.size(); ++i) {
        Option& option = options_[i];
        if (option.slot == kNobody || option.slot == hypothesis.writing) {
            continue;
        }
        const bool over = hypothesis.tokens[option.slot].issued != Step::respond;
        const bool too_late = told_.timers && option.woken && !hypothesis.wrote_awoken;
        option.probability *= std::max(kOutOfTurn, 1 - more) * (over || too_late ? kOutOfTurn : 1);
    }
}

}  // namespace timesink::infer
