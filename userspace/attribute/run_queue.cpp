#include "attribute/run_queue.hpp"

#include <algorithm>

namespace timesink::attribute {

namespace {

bool frees(const infer::Segment& segment, SocketId connection) {
    return std::any_of(segment.stimuli.begin(), segment.stimuli.end(), [&](const infer::Stimulus& stimulus) {
        return stimulus.unit == UnitId{} && stimulus.connection == connection;
    });
}

}  // namespace

void RunQueue::learn(const std::vector<infer::Segment>& turn) {
    for (std::size_t i = 0; i < turn.size(); ++i) {
        for (const infer::Act& act : turn[i].acts) {
            if (act.kind != infer::Act::Kind::statement) {
                continue;
            }
            std::size_t behind = i + 1;  // the segment that freed it
            while (behind > 0 && !frees(turn[behind - 1], act.connection)) {
                --behind;
            }
            // Nothing was read behind it: there was nothing to wait for.
            if (behind > 0 && behind < turn.size()) {
                ++told_;
                apart_ += behind <= i ? 1 : 0;
            }
        }
    }
}

}  // namespace timesink::attribute
