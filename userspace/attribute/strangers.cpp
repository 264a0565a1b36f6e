#include "attribute/strangers.hpp"

#include <algorithm>

namespace timesink::attribute {

namespace {

bool puts_off(const infer::Segment& segment) {
    return segment.immediate_set_at != Instant{};
}

}  // namespace

/// Beside this one. A connection that was not seen in use yet may be idle as well: that is not relied on.
bool Strangers::another_is_idle(infer::PoolId pool, SocketId but) const {
    const auto index = static_cast<std::size_t>(pool);
    const Connection* const known = connections_.find(but);
    const std::uint32_t itself = known != nullptr && !known->busy() ? 1 : 0;
    return index < pools_.size() && pools_[index].open > pools_[index].busy + itself;
}

Strangers::Sender Strangers::of(const Sent& what, std::span<const infer::Segment> turn, const infer::Segment& segment,
                                bool phases) const {
    if (what.nobodys) {
        return Sender::nobody;
    }
    const std::vector<infer::Stimulus>& read = segment.stimuli;
    const auto is = [](Sender sender) { return [sender](const infer::Stimulus& stimulus) { return stimulus.sender == sender; }; };
    const auto same =
        std::find_if(read.begin(), read.end(), [&](const infer::Stimulus& each) { return each.connection == what.connection; });
    // It was given back, and whoever has waited for it longest has it now.
    const bool handed_on = same != read.end() && what.may_wait && !same->transaction && same->prepared == infer::Shape{} &&
                           !another_is_idle(what.pool, what.connection);
    if (segment.timers || read.empty() || std::any_of(read.begin(), read.end(), is(Sender::unit))) {
        return handed_on && has_strangers(what.pool) ? Sender::unclear : Sender::unit;
    }
    // What an earlier segment has put off may be written in this one; where nothing is told of that, in any.
    const bool others = !phases || std::any_of(turn.begin(), turn.end(), puts_off);
    const bool unclear = others || handed_on || std::any_of(read.begin(), read.end(), is(Sender::unclear));
    return unclear ? Sender::unclear : Sender::nobody;
}

bool Strangers::has_strangers(infer::PoolId pool) const {
    const auto index = static_cast<std::size_t>(pool);
    return index < pools_.size() && pools_[index].since_strangers < kRecent;
}

Strangers::Sender Strangers::sent(const Sent& what, std::span<const infer::Segment> turn, const infer::Segment& segment,
                                  bool phases) {
    const Sender sender = of(what, turn, segment, phases);
    flights_[what.exchange] = {sender, what.certain, what.latest};
    const auto index = static_cast<std::size_t>(what.pool);
    if (pools_.size() <= index) {
        pools_.resize(index + 1);
    }
    if (connections_.find(what.connection) == nullptr) {
        connections_[what.connection].pool = what.pool;
        ++pools_[index].open;
    }
    Pool& pool = pools_[index];
    pool.since_strangers = sender == Sender::nobody ? 0 : std::min(pool.since_strangers + 1, kRecent);
    Connection& connection = connections_[what.connection];
    pools_[static_cast<std::size_t>(connection.pool)].busy += connection.busy() ? 0 : 1;
    ++connection.in_flight;
    return sender;
}

Strangers::Sender Strangers::answered(ExchangeId exchange, SocketId connection, bool stays, std::span<const UnitId> active) {
    if (Connection* const known = connections_.find(connection)) {
        const bool was_busy = known->busy();
        known->in_flight -= std::min<std::uint32_t>(known->in_flight, 1);
        known->stays = stays;
        std::uint32_t& busy = pools_[static_cast<std::size_t>(known->pool)].busy;
        busy -= was_busy && !known->busy() && busy > 0 ? 1 : 0;
    }
    const Flight* const found = flights_.find(exchange);
    if (found == nullptr) {
        return Sender::unit;
    }
    const Flight flight = *found;
    flights_.erase(exchange);
    const auto may_be = [&](UnitId unit) { return flight.certain != UnitId{} ? unit == flight.certain : unit <= flight.latest; };
    // Whoever may have sent it has responded: it outlived its unit.
    return std::any_of(active.begin(), active.end(), may_be) ? flight.sender : Sender::nobody;
}

void Strangers::closed(SocketId socket) {
    const Connection* const known = connections_.find(socket);
    if (known == nullptr) {
        return;
    }
    Pool& pool = pools_[static_cast<std::size_t>(known->pool)];
    pool.open -= std::min<std::uint32_t>(pool.open, 1);
    pool.busy -= known->busy() && pool.busy > 0 ? 1 : 0;
    connections_.erase(socket);
}

}  // namespace timesink::attribute
