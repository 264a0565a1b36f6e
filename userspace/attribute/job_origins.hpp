#pragma once

#include <cstddef>
#include <deque>

#include "base/id_map.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Whose jobs are: the units that added them to their queues. Their calls are settled long before most jobs are done.
class JobOrigins {
public:
    void settled(const request::Exchange& exchange, UnitId owner) {
        if (!exchange.adds_job || owner == UnitId{}) {
            return;
        }
        owners_[exchange.id] = owner;
        oldest_.push_back(exchange.id);
        if (oldest_.size() > kMost) {
            owners_.erase(oldest_.front());
            oldest_.pop_front();
        }
    }
    /// Zero: not known.
    [[nodiscard]] UnitId of(const request::Unit& job) const {
        const UnitId* const found = owners_.find(job.added_by);
        return found != nullptr ? *found : UnitId{};
    }

private:
    static constexpr std::size_t kMost = 65536;
    IdMap<ExchangeId, UnitId> owners_;
    std::deque<ExchangeId> oldest_;
};

}  // namespace timesink::attribute
