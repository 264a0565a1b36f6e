#include "attribute/doubts.hpp"

#include <algorithm>

namespace timesink::attribute {

void Doubts::sent(ProcessId process, Instant at) {
    if (sent_.find(process) == nullptr) {
        processes_.push_back(process);
    }
    std::vector<Instant>& all = sent_[process];
    // They are decided in about the order in which they were sent.
    auto place = all.end();
    while (place != all.begin() && *(place - 1) > at) {
        --place;
    }
    all.insert(place, at);
}

bool Doubts::within(ProcessId process, Interval interval) const {
    const std::vector<Instant>* const all = sent_.find(process);
    if (all == nullptr) {
        return false;
    }
    const auto first = std::lower_bound(all->begin(), all->end(), interval.begin);
    return first != all->end() && *first <= interval.end;
}

void Doubts::forget(Instant before) {
    std::erase_if(processes_, [&](ProcessId process) {
        std::vector<Instant>& all = sent_[process];
        all.erase(all.begin(), std::lower_bound(all.begin(), all.end(), before));
        if (all.empty()) {
            sent_.erase(process);
        }
        return sent_.find(process) == nullptr;
    });
}

}  // namespace timesink::attribute
