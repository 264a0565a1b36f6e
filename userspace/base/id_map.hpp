#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ids.hpp"

namespace timesink {

/// Values by typed id in one block of memory, by hash: for tables that are asked at every event. References and
/// pointers into it are valid until the next change. It has no order: what is printed must be sorted by whoever goes through it.
/// Linear probing, at most half full. Not std::unordered_map: that allocates for every entry, and most here live for
/// microseconds.
template <typename Id, typename Value>
class IdMap {
public:
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }

    /// Null: not there.
    [[nodiscard]] Value* find(Id id) {
        if (slots_.empty()) {
            return nullptr;
        }
        Slot& slot = slots_[place_of(id)];
        return slot.used ? &slot.value : nullptr;
    }
    [[nodiscard]] const Value* find(Id id) const { return const_cast<IdMap*>(this)->find(id); }

    /// Made when there is none.
    Value& operator[](Id id) {
        if (Value* const known = find(id)) {
            return *known;
        }
        if ((size_ + 1) * 2 > slots_.size()) {
            grow();
        }
        Slot& slot = slots_[place_of(id)];
        slot.id = id;
        slot.used = true;
        ++size_;
        return slot.value;
    }

    /// Does nothing when it is not there.
    void erase(Id id) {
        if (find(id) == nullptr) {
            return;
        }
        std::size_t hole = place_of(id);
        // Whatever was pushed beyond its place by others moves up, or it would not be found any more.
        for (std::size_t at = next(hole); slots_[at].used; at = next(at)) {
            const std::size_t home = home_of(slots_[at].id);
            const bool stays = hole <= at ? hole < home && home <= at : hole < home || home <= at;
            if (!stays) {
                slots_[hole] = std::move(slots_[at]);
                hole = at;
            }
        }
        slots_[hole] = Slot{};
        --size_;
    }

    /// Of every entry: each(id, value). In no order; the map must not be changed meanwhile.
    template <typename Each>
    void for_each(Each each) {
        for (Slot& slot : slots_) {
            if (slot.used) {
                each(slot.id, slot.value);
            }
        }
    }

private:
    struct Slot {
        Id id{};
        bool used = false;  // 0 is an id like others here: "not known" is asked for too
        Value value{};
    };

    [[nodiscard]] std::size_t next(std::size_t place) const { return (place + 1) & (slots_.size() - 1); }
    [[nodiscard]] std::size_t home_of(Id id) const {
        constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // Fibonacci hashing: ids are counters, or addresses
        return static_cast<std::size_t>(std::uint64_t{number(id)} * kGolden >> 32) & (slots_.size() - 1);
    }
    /// Where it is, or would be.
    [[nodiscard]] std::size_t place_of(Id id) const {
        std::size_t place = home_of(id);
        while (slots_[place].used && slots_[place].id != id) {
            place = next(place);
        }
        return place;
    }
    void grow() {
        constexpr std::size_t kLeast = 16;
        std::vector<Slot> old(slots_.empty() ? kLeast : slots_.size() * 2);
        old.swap(slots_);
        for (Slot& slot : old) {
            if (slot.used) {
                slots_[place_of(slot.id)] = std::move(slot);
            }
        }
    }

    std::vector<Slot> slots_;  // none, or a power of two
    std::size_t size_ = 0;
};

}  // namespace timesink
