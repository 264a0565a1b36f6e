#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "analyze/model.hpp"

namespace timesink::analyze {

/// Kept accounts are shared between the lists that keep them; changed only by the Aggregate, before the Model is made.
using KeptUnit = std::shared_ptr<Exemplar>;

/// A copy of the account, cut off after that many exchanges and after kMaximumPieces pieces.
KeptUnit keep(const attribute::Account& account, std::size_t maximum_exchanges);
inline constexpr std::size_t kMaximumPieces = 20000;

/// The slowest units, slowest first, equal ones by id.
class Slowest {
public:
    explicit Slowest(std::size_t capacity = 0) : capacity_(capacity) {}
    [[nodiscard]] bool wants(const attribute::Account& account) const;
    void add(KeptUnit unit);
    void add(Slowest&& other);
    [[nodiscard]] const std::vector<KeptUnit>& units() const { return units_; }

private:
    std::size_t capacity_;
    std::vector<KeptUnit> units_;
};

/// A sample in which every unit has the same chance (Vitter's algorithm R). Seeded with a constant: a recording gives the same
/// sample as the live run.
class Reservoir {
public:
    explicit Reservoir(std::size_t capacity) : capacity_(capacity) {}
    /// To be asked once per unit: says where the unit goes, or capacity when it is not wanted.
    [[nodiscard]] std::size_t place();
    void put(std::size_t place, KeptUnit unit);
    [[nodiscard]] bool full_at(std::size_t place) const { return place >= capacity_; }
    [[nodiscard]] const std::vector<KeptUnit>& units() const { return units_; }

private:
    std::size_t capacity_;
    std::uint64_t seen_ = 0;
    std::mt19937_64 random_{0x74696d6573696e6bULL};
    std::vector<KeptUnit> units_;
};

}  // namespace timesink::analyze
