#pragma once

#include <cassert>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace timesink {

/// A queue in one block of memory: grows by doubling, never shrinks, so that what comes and goes at its ends costs no allocation.
/// Indexed from the oldest. Not a std::deque: that takes and gives back a block for every few elements, and each access goes
/// through a table of them.
template <typename T>
class Ring {
    static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);

public:
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Preconditions here and below: index < size(), not empty().
    [[nodiscard]] const T& operator[](std::size_t index) const { return slots_[place(index)]; }
    [[nodiscard]] T& operator[](std::size_t index) { return slots_[place(index)]; }
    [[nodiscard]] const T& front() const { return slots_[first_]; }
    [[nodiscard]] const T& back() const { return slots_[place(size_ - 1)]; }
    /// References and indices from before are invalid afterwards.
    void push_back(const T& value) {
        if (size_ == slots_.size()) {
            grow();
        }
        slots_[place(size_)] = value;
        ++size_;
    }
    void pop_front() {
        assert(!empty());
        first_ = place(1);
        --size_;
    }
    void pop_back() {
        assert(!empty());
        --size_;
    }

    /// The one in front of an element of this; null: it is the oldest.
    [[nodiscard]] const T* before(const T& element) const {
        const auto slot = static_cast<std::size_t>(&element - slots_.data());
        return slot == first_ ? nullptr : &slots_[(slot - 1) & (slots_.size() - 1)];
    }

    /// How many elements at the front satisfy `holds`, which those behind them must not: std::partition_point, but fastest near
    /// the back, where what is asked for mostly is.
    template <typename Predicate>
    [[nodiscard]] std::size_t count_front(Predicate holds) const {
        std::size_t after = size_;  // from here on it does not hold
        std::size_t step = 1;
        std::size_t until = 0;  // up to here it holds
        while (after > 0) {
            const std::size_t probe = after > step ? after - step : 0;
            if (holds((*this)[probe])) {
                until = probe + 1;
                break;
            }
            after = probe;
            step *= 2;
        }
        while (until < after) {
            const std::size_t middle = until + (after - until) / 2;
            if (holds((*this)[middle])) {
                until = middle + 1;
            } else {
                after = middle;
            }
        }
        return until;
    }

private:
    /// slots_.size() is zero or a power of two.
    [[nodiscard]] std::size_t place(std::size_t index) const { return (first_ + index) & (slots_.size() - 1); }
    void grow() {
        constexpr std::size_t kLeast = 8;
        std::vector<T> larger(slots_.empty() ? kLeast : slots_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) {
            larger[i] = (*this)[i];
        }
        slots_.swap(larger);
        first_ = 0;
    }

    std::vector<T> slots_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace timesink
