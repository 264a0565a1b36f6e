#include "attribute/propagated_owners.hpp"

#include <algorithm>

#include "request/propagation.hpp"

namespace timesink::attribute {

namespace {

constexpr int kDeepestTree = 16;  // and an end for parents that were told in a ring

}  // namespace

void PropagatedOwners::descends(ProcessId child, ProcessId parent) {
    if (child != parent) {
        parents_[child] = parent;
    }
}

void PropagatedOwners::began(const request::Unit& unit) {
    for (std::string& id : request::propagated_ids(unit.attributes)) {
        in_flight_[std::move(id)].push_back({unit.id, unit.process});
    }
}

void PropagatedOwners::ended(const request::Unit& unit) {
    for (const std::string& id : request::propagated_ids(unit.attributes)) {
        const auto found = in_flight_.find(id);
        if (found == in_flight_.end()) {
            continue;
        }
        std::erase_if(found->second, [&](const Bearer& bearer) { return bearer.unit == unit.id; });
        if (found->second.empty()) {
            in_flight_.erase(found);
        }
    }
}

bool PropagatedOwners::is_ancestor(ProcessId ancestor, ProcessId process) const {
    for (int depth = 0; depth < kDeepestTree; ++depth) {
        const ProcessId* const parent = parents_.find(process);
        if (parent == nullptr) {
            return false;
        }
        if (*parent == ancestor) {
            return true;
        }
        process = *parent;
    }
    return false;
}

/// The units in flight with this id: of the process itself, or else of its line.
std::vector<UnitId> PropagatedOwners::bearers(const std::string& id, ProcessId process) const {
    std::vector<UnitId> own;
    std::vector<UnitId> of_line;
    const auto found = in_flight_.find(id);
    if (found == in_flight_.end()) {
        return own;
    }
    for (const Bearer& bearer : found->second) {
        if (bearer.process == process) {
            own.push_back(bearer.unit);
        } else if (is_ancestor(bearer.process, process) || is_ancestor(process, bearer.process)) {
            of_line.push_back(bearer.unit);
        }
    }
    return own.empty() ? of_line : own;
}

UnitId PropagatedOwners::of(const request::Exchange& exchange) const {
    if (in_flight_.empty() || exchange.attributes.empty()) {
        return {};
    }
    // Each id leaves the units that bear it; an id that no unit bears was made here, and says nothing.
    std::vector<UnitId> left;
    bool any = false;
    for (const std::string& id : request::propagated_ids(exchange.attributes)) {
        const std::vector<UnitId> units = bearers(id, exchange.process);
        if (units.empty()) {
            continue;
        }
        if (!any) {
            left = units;
        } else {
            std::erase_if(left, [&](UnitId unit) { return std::find(units.begin(), units.end(), unit) == units.end(); });
        }
        any = true;
    }
    return left.size() == 1 ? left.front() : UnitId{};
}

}  // namespace timesink::attribute
