#include "attribute/live_unit.hpp"

namespace timesink::attribute {

void LiveUnit::restart() {
    constexpr std::size_t kMostKept = 16;
    std::vector<OwnedExchange> kept_exchanges;
    std::vector<request::ClassCalls> kept_calls;
    if (exchanges.capacity() <= kMostKept) {
        kept_exchanges.swap(exchanges);
        kept_exchanges.clear();
    }
    kept_calls.swap(unit.calls);
    kept_calls.clear();
    std::destroy_at(this);
    std::construct_at(this);
    exchanges.swap(kept_exchanges);
    unit.calls.swap(kept_calls);
}

bool LiveUnit::has_calls_side_by_side() const {
    const OwnedExchange* before = nullptr;
    for (const OwnedExchange& owned : exchanges) {
        const request::Exchange& next = owned.exchange;
        if (next.engine != nullptr) {
            continue;
        }
        if (before != nullptr && next.sent_by == before->exchange.sent_by && next.socket != before->exchange.socket &&
            next.sent < before->exchange.read_end) {
            return true;
        }
        before = &owned;
    }
    return false;
}

}  // namespace timesink::attribute
