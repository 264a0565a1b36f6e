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

}  // namespace timesink::attribute
