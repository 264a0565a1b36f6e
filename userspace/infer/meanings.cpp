#include <algorithm>
#include <array>

#include "infer/simulation.hpp"

// What a statement is, if one or another sent it, and how likely that one asks for it.

namespace timesink::infer {

namespace {}  // namespace

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
    return std::clamp(after / std::max(before, kLeastProbability), kLeastProbability, 1.0);
}

/// What a statement is, if this token sent it. One that has only a name is what the name was taken for before; where it is new,
/// what the token would ask next, unless another name of that connection means that. Otherwise it is like no other.
Shape Simulation::meant(const Hypothesis& hypothesis, const Token& token, const Act& act) const {
    if (!act.nameless) {
        return act.shape;
    }
    const Shape name = Names::name(act.shape, act.connection);
    if (const Shape known = hypothesis.named(name); known != Shape{}) {
        return known;
    }
    const std::span<const Shape> written = token.issued != Step::respond ? model_.shapes(token.issued) : std::span<const Shape>{};
    const Shape next = model_.next(token.history, written, act.pool);
    const bool taken = names_.means(act.connection, next, name) || hypothesis.means(act.connection, next, name);
    return next != Shape{} && !taken ? next : name;
}

/// P(the next list of this token begins with it).
double Simulation::begins(const Hypothesis& hypothesis, const Token& token, const Act& act) const {
    const std::array<Shape, 1> first{meant(hypothesis, token, act)};
    return model_.begins(token.history, first);
}

/// What it is taken for fits everybody: until its name is known, whoever sent it is not. Its answer may have told it since.
void Simulation::learn_name(Hypothesis::Note& note) {
    constexpr double kFitsAll = 0.85;
    if (names_.is_told(note.name) && names_.meaning(note.name) == note.meant) {
        return;
    }
    // That it is like no other is told by those only who were alone.
    const bool tells = note.meant != note.name || note.reason == Reason::alone;
    if (note.probability >= kLearnable && !in_doubt_ && tells) {
        names_.learn(note.connection, note.name, note.meant);
        if (names_.meaning(note.name) != Shape{}) {
            for (Hypothesis& hypothesis : hypotheses_) {
                hypothesis.forget_name(note.name);
            }
        }
    }
    note.probability *= kFitsAll;
}

/// An answer has said what its name means on its connection.
void Simulation::tell_name(Shape name, const Stimulus& answer) {
    if (const Connection* const connection = connections_.find(answer.connection)) {
        model_.place(answer.meaning, connection->pool);
    }
    if (!names_.is_told(name)) {
        names_.told(name, answer.meaning);
        for (Hypothesis& hypothesis : hypotheses_) {
            hypothesis.forget_name(name);
        }
    }
}

}  // namespace timesink::infer
