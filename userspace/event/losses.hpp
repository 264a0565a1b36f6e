#pragma once

#include <cstdint>
#include <vector>

#include "event/event.hpp"

namespace timesink::event {

/// Finds out what was lost, and tells each loss once. Three sources speak of the same losses: TS_EVENT_LOSS records, gaps in a
/// CPU's sequence, and the `drops` facts at the end; the first covers the second, both cover the third. Owned by the Merge; fed
/// in drain order. Records of one CPU may come slightly out of sequence (an interrupt reserves between its victim's count and
/// reserve), so a gap counts only once everything before its end has been delivered. The sequence of live/'s own records is not
/// looked at: it cannot lose any.
class Losses {
public:
    /// A record was delivered.
    void saw(const ts_event_head& head);
    /// It was a TS_EVENT_LOSS of `count` records: those of the newest holes, for it is written with the first record that fits
    /// again.
    void told(std::uint16_t cpu, std::uint64_t count);
    /// A `drops` fact: the kernel's own total for one CPU.
    void total(std::uint64_t cpu, std::uint64_t count);

    /// Gaps that end before `horizon` and that no TS_EVENT_LOSS told of, by CPU and sequence. `sequence`: of the first record
    /// missing.
    struct Gap {
        Loss loss;
        std::uint32_t sequence;
    };
    std::vector<Gap> settle(Instant horizon);
    /// What the totals say beyond everything told so far: lost at the end of the run, up to `end`. After the last settle().
    std::vector<Loss> remainder(Instant end) const;

private:
    /// Sequences [begin, end) are missing, between two records of these times.
    struct Hole {
        std::uint32_t begin;
        std::uint32_t end;
        Instant first;
        Instant last;
        std::uint64_t told = 0;  ///< of them, by TS_EVENT_LOSS
        [[nodiscard]] std::uint64_t untold() const { return end - begin > told ? end - begin - told : 0; }
    };
    struct Cpu {
        bool seen = false;
        std::uint32_t next = 0;  ///< sequence expected
        Instant last{};          ///< time of the newest record
        std::vector<Hole> holes;
        std::uint64_t accounted = 0;  ///< told by TS_EVENT_LOSS or as a gap
        std::uint64_t total = 0;
    };
    Cpu& cpu(std::uint16_t number);
    /// How many of the newest holes a record that comes out of sequence is looked for in: it is late by a few records, never by
    /// many.
    static constexpr std::size_t kHolesSearched = 16;
    static void fill(Cpu& cpu, std::uint32_t sequence);

    std::vector<Cpu> cpus_;
    std::vector<std::uint16_t> with_holes_;
};

}  // namespace timesink::event
