#include "attribute/forwarded_owners.hpp"

#include <algorithm>

#include "request/statement.hpp"

namespace timesink::attribute {

namespace {

constexpr std::uint64_t kOneIn = 10;  // may be another thing: a proxy asks for health, too

/// Zero: it has none.
std::uint64_t likeness(const request::Unit& unit) {
    return unit.protocol == "http" && !unit.path.empty() ? request::fingerprint_of(unit.method + ' ' + unit.path) : 0;
}

}  // namespace

void ForwardedOwners::began(const request::Unit& unit) {
    if (const std::uint64_t like = likeness(unit); like != 0) {
        processes_[unit.process].in_flight[like].push_back({unit.id, false});
    }
}

void ForwardedOwners::ended(const request::Unit& unit) {
    InProcess* const process = processes_.find(unit.process);
    const auto found = process != nullptr ? process->in_flight.find(likeness(unit)) : decltype(process->in_flight.begin()){};
    if (process == nullptr || found == process->in_flight.end()) {
        return;
    }
    std::erase_if(found->second, [&](const InFlight& each) { return each.unit == unit.id; });
    if (found->second.empty()) {
        process->in_flight.erase(found);
    }
    if (process->in_flight.empty() && process->alike == 0) {
        processes_.erase(unit.process);
    }
}

UnitId ForwardedOwners::of(const request::Exchange& exchange) {
    InProcess* const process = exchange.likeness != 0 ? processes_.find(exchange.process) : nullptr;
    if (process == nullptr) {
        return {};
    }
    const auto found = process->in_flight.find(exchange.likeness);
    ++(found != process->in_flight.end() ? process->alike : process->others);
    if (found == process->in_flight.end()) {
        return {};
    }
    std::vector<InFlight>& units = found->second;
    const auto fresh = std::find_if(units.begin(), units.end(), [](const InFlight& each) { return !each.handed_on; });
    const auto waiting = std::count_if(units.begin(), units.end(), [](const InFlight& each) { return !each.handed_on; });
    // One that was handed on is handed on again when the server behind fails.
    InFlight* const one = units.size() == 1 ? &units.front() : waiting == 1 ? &*fresh : nullptr;
    if (one != nullptr) {
        one->handed_on = true;
    }
    const bool proxy = process->alike >= kSeen && process->others * kOneIn <= process->alike + process->others;
    return proxy && one != nullptr ? one->unit : UnitId{};
}

}  // namespace timesink::attribute
