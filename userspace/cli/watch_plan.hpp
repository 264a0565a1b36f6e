#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace timesink::cli {

/// When a run is attached: all the time, or for a window of each period. Times: CLOCK_MONOTONIC, ns. Windows begin whole periods
/// behind the run's begin, so that they do not drift; one that begins late, for the attach takes its time, has its full length.
class WatchPlan {
public:
    static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

    struct Windows {
        std::uint64_t length;
        std::uint64_t every;  ///< from begin to begin; longer than `length`
    };
    /// `length`: of the run; empty: until it is ended.
    WatchPlan(std::uint64_t begin, std::optional<std::uint64_t> length, std::optional<Windows> windows)
        : begin_(begin), end_(length ? begin + *length : kNever), windows_(windows) {
        attached(begin);
    }

    /// A window begins.
    void attached(std::uint64_t at) { window_end_ = windows_ && at < end_ ? std::min(at + windows_->length, end_) : end_; }
    [[nodiscard]] std::uint64_t window_end() const { return window_end_; }
    /// When to attach next; empty: the run will be over by then.
    [[nodiscard]] std::optional<std::uint64_t> next_window(std::uint64_t now) const {
        if (!windows_ || now >= end_) {
            return std::nullopt;
        }
        const std::uint64_t next = begin_ + ((now - begin_) / windows_->every + 1) * windows_->every;
        return next < end_ ? std::optional(next) : std::nullopt;
    }
    [[nodiscard]] std::uint64_t end() const { return end_; }

private:
    std::uint64_t begin_;
    std::uint64_t end_;
    std::optional<Windows> windows_;
    std::uint64_t window_end_ = kNever;
};

}  // namespace timesink::cli
