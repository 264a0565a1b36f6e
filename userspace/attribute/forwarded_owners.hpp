#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/id_map.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Owners of what a proxy hands on: evidence `inferred`. What nginx, HAProxy or a gateway sends to the server behind it has the
/// method and path of the request that it has read.
///
/// Believed of processes of which nine in ten outgoing requests of HTTP were like that (and kSeen of them): another service may
/// ask for what somebody happens to ask it for. Of several units in flight with the same method and path it is the one that has
/// not been handed on yet, if that is one. By paths as they came; a proxy that rewrites them is not known to be one.
/// Bounded by the units in flight.
class ForwardedOwners {
public:
    static constexpr std::uint64_t kSeen = 4;
    static constexpr double kMargin = 0.95;

    void began(const request::Unit& unit);
    void ended(const request::Unit& unit);
    /// Of every exchange, when it is sent. Zero: nothing is said.
    UnitId of(const request::Exchange& exchange);

private:
    struct InFlight {
        UnitId unit{};
        bool handed_on = false;
    };
    struct InProcess {
        std::map<std::uint64_t, std::vector<InFlight>> in_flight;  // by method and path
        std::uint64_t alike = 0;
        std::uint64_t others = 0;
    };

    IdMap<ProcessId, InProcess> processes_;
};

}  // namespace timesink::attribute
