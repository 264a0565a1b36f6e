#include "infer/hypothesis.hpp"

#include <algorithm>

namespace timesink::infer {

namespace {

std::uint64_t scramble(std::uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccd;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53;
    return value ^ (value >> 33);
}

/// Of manners only what both have met: where one put off what the other did at once and nothing told them apart, neither was
/// seen.
void unite_manners(Hypothesis& into, const Hypothesis& other) {
    for (Hypothesis::Manner& ours : into.manners) {
        const auto theirs = std::find_if(other.manners.begin(), other.manners.end(),
                                         [&](const Hypothesis::Manner& each) { return each.past == ours.past; });
        ours.put_off = theirs != other.manners.end() ? std::min(ours.put_off, theirs->put_off) : std::uint16_t{0};
        ours.direct = theirs != other.manners.end() ? std::min(ours.direct, theirs->direct) : std::uint16_t{0};
    }
}

/// What a name was taken for by one and not by the other is not known: nothing told them apart.
void unite_names(Hypothesis& into, const Hypothesis& other) {
    std::erase_if(into.names, [&](const Hypothesis::Named& ours) {
        const Shape theirs = other.named(ours.name);
        return theirs != Shape{} && theirs != ours.meaning;
    });
}

}  // namespace

Slot Hypothesis::add(const Token& token) {
    const auto unused =
        std::find_if(tokens.begin(), tokens.end(), [](const Token& each) { return each.state == Token::State::free; });
    if (unused != tokens.end()) {
        *unused = token;
        return static_cast<Slot>(unused - tokens.begin());
    }
    tokens.push_back(token);
    return static_cast<Slot>(tokens.size() - 1);
}

void Hypothesis::release(Slot slot) {
    Token& token = tokens[slot];
    sleeping -= token.state == Token::State::sleeping ? 1 : 0;
    token.state = Token::State::free;
    std::erase_if(queue, [&](const Waiting& waiting) { return waiting.slot == slot; });
    std::erase_if(held, [&](const Held& each) { return each.slot == slot; });
    std::erase(deferred, slot);
    for (Flight& flight : flights) {
        flight.slot = flight.slot == slot ? kNobody : flight.slot;
    }
    std::replace(stimulated.begin(), stimulated.end(), slot, kNobody);
}

Slot Hypothesis::of_unit(UnitId unit) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].state != Token::State::free && tokens[i].unit == unit) {
            return static_cast<Slot>(i);
        }
    }
    return kNobody;
}

Slot Hypothesis::holder(SocketId connection) const {
    const auto found = std::find_if(held.begin(), held.end(), [&](const Held& each) { return each.connection == connection; });
    return found == held.end() ? kNobody : found->slot;
}

void Hypothesis::unhold(SocketId connection) {
    std::erase_if(held, [&](const Held& each) { return each.connection == connection; });
}

std::size_t Hypothesis::head(PoolId pool) const {
    const auto found = std::find_if(queue.begin(), queue.end(), [&](const Waiting& waiting) { return waiting.pool == pool; });
    return static_cast<std::size_t>(found - queue.begin());
}

Instant& Hypothesis::served(PoolId pool) {
    const auto index = static_cast<std::size_t>(pool);
    if (position.size() <= index) {
        position.resize(index + 1);
    }
    return position[index];
}

Hypothesis::Habit& Hypothesis::habit(RouteId route) {
    const auto found = std::find_if(habits.begin(), habits.end(), [&](const Habit& each) { return each.route == route; });
    return found != habits.end() ? *found : habits.emplace_back(Habit{route, 0, 0});
}

Hypothesis::Manner& Hypothesis::manner(const History& history) {
    const auto found = std::find_if(manners.begin(), manners.end(), [&](const Manner& each) { return each.past == history.all; });
    if (found != manners.end()) {
        return *found;
    }
    if (manners.size() >= kMostManners) {
        manners.erase(manners.begin());
    }
    return manners.emplace_back(Manner{history.all, 0, 0});
}

Shape Hypothesis::named(Shape name) const {
    const auto found = std::find_if(names.begin(), names.end(), [&](const Named& each) { return each.name == name; });
    return found != names.end() ? found->meaning : Shape{};
}

bool Hypothesis::means(SocketId connection, Shape meaning, Shape but) const {
    return std::any_of(names.begin(), names.end(), [&](const Named& each) {
        return each.connection == connection && each.meaning == meaning && each.name != but;
    });
}

/// That it is like no other is not kept: what else it may be is told by who sends it later.
void Hypothesis::take_name(SocketId connection, Shape name, Shape meaning) {
    if (meaning == name || named(name) != Shape{}) {
        return;
    }
    if (names.size() >= kMostNames) {
        names.erase(names.begin());
    }
    names.push_back({connection, name, meaning});
}

void Hypothesis::forget_name(Shape name) {
    std::erase_if(names, [&](const Named& each) { return each.name == name; });
}

void Hypothesis::sleep(Slot slot, Instant at) {
    Token& token = tokens[slot];
    sleeping += token.state == Token::State::sleeping ? 0 : 1;
    token.state = Token::State::sleeping;
    token.since = at;
    token.before_sleep = token.history;
    token.history = token.history.then(Step::sleep);
    token.blurred = false;
}

const Hypothesis::Note* Hypothesis::counterpart(const Note& note) const {
    auto at = std::partition_point(notes.begin(), notes.end(), [&](const Note& each) { return each.serial < note.serial; });
    for (; at != notes.end() && at->serial == note.serial; ++at) {
        if (at->kind == note.kind && at->exchange == note.exchange && at->unit == note.unit) {
            return &*at;
        }
    }
    return nullptr;
}

void Hypothesis::unite(const Hypothesis& other) {
    for (std::size_t i = 0; i < queue.size() && i < other.queue.size(); ++i) {
        queue[i].defer = queue[i].defer == other.queue[i].defer ? queue[i].defer : Told::nothing;
    }
    unite_manners(*this, other);
    unite_names(*this, other);
    const double share = weight / (weight + other.weight);
    for (Note& ours : notes) {
        const Note* const theirs = other.counterpart(ours);
        ours.defer = theirs != nullptr && theirs->defer == ours.defer ? ours.defer : Told::nothing;
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
    weight += other.weight;
}

std::uint64_t Hypothesis::state() const {
    std::uint64_t sum = 0;
    thread_local std::vector<std::uint64_t> identities;  // asked often: no memory of its own each time
    identities.assign(tokens.size(), 0);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const Token& token = tokens[i];
        if (token.state == Token::State::free) {
            continue;
        }
        // Who of equal sleepers it is does not matter for what comes.
        const std::uint64_t who =
            token.state == Token::State::sleeping && token.blurred ? 7 : static_cast<std::uint64_t>(token.chain);
        const std::uint64_t what = token.history.all + token.outstanding * 0x9e3779b97f4a7c15;
        identities[i] = scramble(scramble(who * 31 + static_cast<std::uint64_t>(token.state)) + what);
        sum += identities[i];
    }
    const auto identity = [&](Slot slot) { return slot == kNobody ? std::uint64_t{1} : identities[slot]; };
    for (const Waiting& waiting : queue) {
        sum = scramble(sum + identity(waiting.slot) + static_cast<std::uint64_t>(waiting.shape));
    }
    for (const Slot slot : deferred) {
        sum = scramble(sum + identity(slot));
    }
    for (const Flight& flight : flights) {
        sum += scramble(number(flight.exchange) ^ identity(flight.slot));
    }
    for (const Held& each : held) {
        sum += scramble(number(each.connection) ^ identity(each.slot));
    }
    return sum;
}

}  // namespace timesink::infer
