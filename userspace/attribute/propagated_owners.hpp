#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/id_map.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Owners by what the service itself hands on: evidence `propagated`. An exchange that carries the trace id or the request id of
/// exactly one unit in flight in its process is that unit's; where no unit of its own process has the id, units of the
/// processes that it descends from and of those that descend from it are asked (work handed to a child process). Siblings are
/// not: the workers of one server that call each other carry one id through several units.
///
/// Two units with the same id say nothing (a retry, a client that sends a constant), nor do ids that speak for different units.
/// Ids of units that have been answered are forgotten: a call that carries one is work that was left behind.
/// Bounded by the units in flight.
class PropagatedOwners {
public:
    void descends(ProcessId child, ProcessId parent);
    void gone(ProcessId process) { parents_.erase(process); }
    void began(const request::Unit& unit);
    void ended(const request::Unit& unit);
    /// Zero: nothing is said.
    [[nodiscard]] UnitId of(const request::Exchange& exchange) const;

private:
    struct Bearer {
        UnitId unit{};
        ProcessId process{};
    };
    [[nodiscard]] bool is_ancestor(ProcessId ancestor, ProcessId process) const;
    [[nodiscard]] std::vector<UnitId> bearers(const std::string& id, ProcessId process) const;

    std::unordered_map<std::string, std::vector<Bearer>> in_flight_;  // asked by id only
    IdMap<ProcessId, ProcessId> parents_;
};

}  // namespace timesink::attribute
