#include "analyze/exemplars.hpp"

#include <algorithm>

namespace timesink::analyze {

namespace {

bool slower(const attribute::Account& a, const attribute::Account& b) {
    return a.wall() != b.wall() ? a.wall() > b.wall() : a.unit.id < b.unit.id;
}

}  // namespace

KeptUnit keep(const attribute::Account& account, std::size_t maximum_exchanges) {
    auto kept = std::make_shared<Exemplar>();
    kept->account.unit = account.unit;
    kept->account.by_cause = account.by_cause;
    kept->account.objects = account.objects;
    kept->account.hidden = account.hidden;
    const std::size_t exchanges = std::min(account.exchanges.size(), maximum_exchanges);
    const std::size_t pieces = std::min(account.pieces.size(), kMaximumPieces);
    using Offset = std::ptrdiff_t;
    kept->account.exchanges.assign(account.exchanges.begin(), account.exchanges.begin() + static_cast<Offset>(exchanges));
    kept->account.pieces.assign(account.pieces.begin(), account.pieces.begin() + static_cast<Offset>(pieces));
    kept->exchanges_omitted = account.exchanges.size() - exchanges;
    kept->pieces_omitted = account.pieces.size() - pieces;
    return kept;
}

bool Slowest::wants(const attribute::Account& account) const {
    return units_.size() < capacity_ || (capacity_ > 0 && slower(account, units_.back()->account));
}

void Slowest::add(KeptUnit unit) {
    const auto place = std::upper_bound(units_.begin(), units_.end(), unit,
                                        [](const KeptUnit& a, const KeptUnit& b) { return slower(a->account, b->account); });
    units_.insert(place, std::move(unit));
    if (units_.size() > capacity_) {
        units_.pop_back();
    }
}

void Slowest::add(Slowest&& other) {
    capacity_ = std::max(capacity_, other.capacity_);
    for (KeptUnit& unit : other.units_) {
        add(std::move(unit));
    }
}

std::size_t Reservoir::place() {
    ++seen_;
    if (units_.size() < capacity_) {
        return units_.size();
    }
    // The remainder favours small numbers by less than 2^-32 here; std::uniform_int_distribution differs between libraries.
    return static_cast<std::size_t>(std::min<std::uint64_t>(random_() % seen_, capacity_));
}

void Reservoir::put(std::size_t place, KeptUnit unit) {
    if (place < units_.size()) {
        units_[place] = std::move(unit);
    } else if (units_.size() < capacity_) {
        units_.push_back(std::move(unit));
    }
}

}  // namespace timesink::analyze
