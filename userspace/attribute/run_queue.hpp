#pragma once

#include <cstdint>
#include <vector>

#include "infer/segment.hpp"

namespace timesink::attribute {

/// Tells loops that do not go on at once with what they read: a reply makes a task ready, and ready tasks run in their order when
/// other reads are done (tokio's current_thread scheduler, whose drivers' tasks hand replies on to those who asked). What such a
/// loop writes need not be caused by what it read last, which the simulation takes as given.
///
/// Told by connections that are written on in a later segment of the turn than the one that read the reply which freed them:
/// where callbacks run at once that is the rare exception.
class RunQueue {
public:
    /// Of the segments of one turn.
    void learn(const std::vector<infer::Segment>& turn);
    [[nodiscard]] bool is_known() const { return apart_ >= kSeen && apart_ * kOneIn >= told_; }

private:
    static constexpr std::uint64_t kSeen = 4;
    static constexpr std::uint64_t kOneIn = 5;

    std::uint64_t told_ = 0;   ///< statements on connections that were freed in the same turn, before something else was read
    std::uint64_t apart_ = 0;  ///< of these, in a later segment
};

}  // namespace timesink::attribute
