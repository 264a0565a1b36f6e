#pragma once

#include <memory>
#include <vector>

#include "attribute/account.hpp"
#include "attribute/thread_timeline.hpp"

namespace timesink::attribute {

/// A unit of work from the reading of its header until its account is drawn. Owned by Attribution. Kept small: all that ended
/// since the watermark before last wait for their account.
struct LiveUnit {
    request::Unit unit;                    ///< while it runs: its id, where it came from, and when it began
    ThreadId lane{};                       ///< of Owners, while it is in flight
    Instant activated{};                   ///< read, and the one before it on its connection answered
    std::vector<OwnedExchange> exchanges;  ///< answered ones, in order of sending
    /// When other units were in flight on the thread that read this one: then the thread's state says nothing about this unit.
    std::vector<Interval> shared;
    ExchangeId caller{};   ///< see request::Unit
    bool sharing = false;  ///< the last of `shared` is still open
    bool alone = true;     ///< no other unit of the process was in flight at any time: hand-offs between threads are this unit's
    bool ended = false;
    bool touched_by_loss = false;  ///< events were lost while it ran: it may be over without our knowing
    bool misses_messages = false;  ///< for a loss, calls of its own may be missing from it: it is left out
    bool in_doubt = false;         ///< of something that was sent while it ran it is not known whether it was its own
    bool drawn = false;
    std::unique_ptr<ThreadUse> use_at_begin;  ///< of its thread, while it runs; null: not known

    /// As a new one, but with the memory of its lists, unless that is much.
    void restart();
    /// A thread had several calls of the unit open at once: it went on with others while it waited, as event loops do. Not what
    /// an engine in the process executed: that may be one statement within the rows of another.
    [[nodiscard]] bool has_calls_side_by_side() const;
};

}  // namespace timesink::attribute
