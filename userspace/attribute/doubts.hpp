#pragma once

#include <vector>

#include "base/id_map.hpp"
#include "base/time.hpp"

namespace timesink::attribute {

/// When something was sent in a process of which it is not known whose it is: it may be any unit's that was in flight then. Asked
/// when a unit's account is drawn, not noted at each unit that was in flight: with owners that are found out late these are
/// thousands, for each of thousands of exchanges.
class Doubts {
public:
    void sent(ProcessId process, Instant at);
    [[nodiscard]] bool within(ProcessId process, Interval interval) const;
    /// Nobody asks for what was before.
    void forget(Instant before);

private:
    IdMap<ProcessId, std::vector<Instant>> sent_;  // in order of time
    std::vector<ProcessId> processes_;
};

}  // namespace timesink::attribute
