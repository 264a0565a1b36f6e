#pragma once

#include <vector>

#include "attribute/account.hpp"
#include "attribute/live_unit.hpp"
#include "attribute/thread_timeline.hpp"

namespace timesink::attribute {

/// Where a backward walk stands, and the pieces that it has written: contiguous by construction, so they sum exactly.
struct Trail {
    /// `pieces`: emptied and written to; not owned.
    Trail(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces);

    /// A unit of an hour with a wake-up each 100 µs; beyond that the rest is unattributed rather than the report late.
    static constexpr std::size_t kMaximumPieces = std::size_t{1} << 22U;
    [[nodiscard]] bool before_the_read() const { return at <= read || pieces.size() >= kMaximumPieces; }

    /// Charges [to, at) and moves on to `to`, but not beyond the floor; nothing when `to` is not earlier.
    void charge(Instant to, Cause cause, ExchangeId exchange = {});
    /// From the arrival of the first byte of the reply back to the sending, where the walk goes on.
    void charge_first_byte(const OwnedExchange& owned);
    /// From the read back to the unit's begin, and turns the pieces into the order of time.
    void finish();

    const LiveUnit& live;
    const Timelines& timelines;
    Instant read;   ///< when the unit's thread had read the first bytes
    Instant floor;  ///< no charge goes back further
    Instant at;
    ThreadId thread;
    std::vector<Piece>& pieces;  ///< latest first until it is finished

private:
    void charge_before_read();
};

}  // namespace timesink::attribute
