#pragma once

#include <optional>

#include "analyze/bounded_lines.hpp"
#include "analyze/distribution.hpp"
#include "analyze/exemplars.hpp"
#include "analyze/model.hpp"
#include "analyze/unit_calls.hpp"

namespace timesink::analyze {

/// Figures in the making: of the run, or of one route. Owned by the Aggregate; memory bounded by the limits given.
class FigureSums {
public:
    struct Limits {
        std::size_t calls = 64;
        std::size_t slowest = 0;
        bool call_distributions = false;  ///< quantiles per call shape (1 to 3 KB each): for the run only
    };

    explicit FigureSums(const Limits& limits);

    /// Counts an included unit; `calls` have been read from it.
    void add(const attribute::Account& account, const UnitCalls& calls);
    void add(FigureSums&& other);
    [[nodiscard]] Duration wall() const { return figures_.ledger.wall; }
    [[nodiscard]] std::uint64_t units() const { return figures_.ledger.units; }
    Slowest& slowest() { return slowest_; }
    [[nodiscard]] Figures finish();

private:
    struct CallSums {
        CallLine line;
        Distribution lengths;
        bool partial = false;
        UnitId unit{};  ///< the last one that made such a call
        std::uint64_t calls_in_unit = 0;
        std::uint64_t repeats_in_unit = 0;
        CallSums();  // not inline: clang needs it before FigureSums is complete
        [[nodiscard]] std::pair<Duration, Duration> weight() const { return {line.on_path, line.duration.sum}; }
        void fold(CallSums&& other);
    };

    void add_call(UnitId unit, const CallFacts& call);

    Limits limits_;
    Figures figures_;
    Distribution latency_;
    Distribution accept_wait_;
    Distribution queue_wait_;
    Slowest slowest_;
    BoundedLines<CallKey, CallSums, CallLess> calls_;
};

}  // namespace timesink::analyze
