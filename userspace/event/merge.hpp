#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "event/event.hpp"

namespace timesink::event {

/// Turns raw records, as drained from the rings or read from a recording, into typed events in time order.
/// Records come in any order between CPUs and roughly in order within one; a watermark record says that everything older has been
/// delivered. Events are handed on up to (watermark - kLateness), where kLateness is how long a write may take before its
/// place in the order is moved to its exit; then advance() is called once. Deterministic: the same bytes in any
/// batching give the same sequence of calls, so a recording gives the report of the live run.
class Merge {
public:
    static constexpr Duration kLateness = std::chrono::milliseconds(20);

    struct Statistics {
        std::uint64_t records = 0;        ///< handed on
        std::uint64_t unknown_kinds = 0;  ///< skipped: a newer minor version
        std::uint64_t malformed = 0;      ///< skipped: impossible sizes or values
        std::uint64_t lost = 0;           ///< sum of Loss.count
        std::uint64_t out_of_order = 0;   ///< older than what had been handed on already; handed on first in the next batch
    };

    explicit Merge(Consumer& consumer);
    ~Merge();
    Merge(const Merge&) = delete;
    Merge& operator=(const Merge&) = delete;

    /// `records`: whole records, one after the other. A record whose size does not fit ends the batch with an Error (foreign or
    /// damaged bytes); what came before it stands.
    Status push(std::span<const std::byte> records);
    /// Hands on everything that is left: the run is over. A fact `detached` does the same for what came before it, the fact
    /// included, and is followed by Consumer::detached(): what comes then is of another attach, with sequences of its own.
    void finish();
    [[nodiscard]] const Statistics& statistics() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace timesink::event
