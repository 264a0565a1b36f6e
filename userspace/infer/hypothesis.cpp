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

void Hypothesis::release(Slot slot) {
    Token& token = tokens.change(slot);
    if (token.state == Token::State::sleeping) {
        std::erase(sleepers, slot);
    }
    token.state = Token::State::free;
    for (Queue& each : queues) {
        std::erase_if(each, [&](const Waiting& waiting) { return waiting.slot == slot; });
    }
    std::erase_if(held, [&](const Held& each) { return each.slot == slot; });
    std::erase(deferred, slot);
    for (Flight& flight : flights) {
        flight.slot = flight.slot == slot ? kNobody : flight.slot;
    }
    std::replace(stimulated.begin(), stimulated.end(), slot, kNobody);
}

Slot Hypothesis::of_unit(UnitId unit) const {
    return tokens.find([&](const Token& token) { return token.unit == unit; });
}

Slot Hypothesis::holder(SocketId connection) const {
    const auto found = std::find_if(held.begin(), held.end(), [&](const Held& each) { return each.connection == connection; });
    return found == held.end() ? kNobody : found->slot;
}

void Hypothesis::unhold(SocketId connection) {
    std::erase_if(held, [&](const Held& each) { return each.connection == connection; });
}

Hypothesis::Queue& Hypothesis::queue(PoolId pool) {
    const auto index = static_cast<std::size_t>(pool);
    if (queues.size() <= index) {
        queues.resize(index + 1);
    }
    return queues[index];
}

const Hypothesis::Waiting* Hypothesis::head(PoolId pool) const {
    const auto index = static_cast<std::size_t>(pool);
    return index < queues.size() && !queues[index].empty() ? &queues[index].front() : nullptr;
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
    Token& token = tokens.change(slot);
    if (token.state != Token::State::sleeping) {
        sleepers.insert(std::upper_bound(sleepers.begin(), sleepers.end(), slot), slot);
    }
    token.state = Token::State::sleeping;
    token.since = at;
    token.before_sleep = token.history;
    token.history = token.history.then(Step::sleep);
    token.blurred = false;
}

void Hypothesis::wake(Slot slot) {
    std::erase(sleepers, slot);
    tokens.change(slot).state = Token::State::running;
}

void Hypothesis::unite(const Hypothesis& other) {
    for (std::size_t pool = 0; pool < queues.size() && pool < other.queues.size(); ++pool) {
        Queue& ours = queues[pool];
        const Queue& theirs = other.queues[pool];
        for (std::size_t i = 0; i < ours.size() && i < theirs.size(); ++i) {
            ours[i].defer = ours[i].defer == theirs[i].defer ? ours[i].defer : Told::nothing;
        }
    }
    unite_manners(*this, other);
    unite_names(*this, other);
    notes.unite(other.notes, weight / (weight + other.weight));
    weight += other.weight;
}

std::uint64_t Hypothesis::state() const {
    constexpr std::uint64_t kOdd = 0xff51afd7ed558ccd;
    std::uint64_t sum = tokens.state();
    for (std::size_t pool = 0; pool < queues.size(); ++pool) {
        std::uint64_t waiting = pool;
        for (const Waiting& each : queues[pool]) {
            waiting = waiting * kOdd + tokens.identity(each.slot) + static_cast<std::uint64_t>(each.shape);
        }
        sum += queues[pool].empty() ? 0 : scramble(waiting);
    }
    sum = scramble(sum);
    for (const Slot slot : deferred) {
        sum = scramble(sum + tokens.identity(slot));
    }
    for (const Flight& flight : flights) {
        sum += scramble(number(flight.exchange) ^ tokens.identity(flight.slot));
    }
    for (const Held& each : held) {
        sum += scramble(number(each.connection) ^ tokens.identity(each.slot));
    }
    return sum;
}

}  // namespace timesink::infer
