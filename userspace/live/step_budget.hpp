#pragma once

#include <algorithm>
#include <cstdint>

namespace timesink::live {

/// How many steps of SQLite a process may be watched at. Two hits of a probe cost 2 µs, a step alone 0.1 µs and more, so a
/// program that reads its rows by the million would pay for being watched with most of its CPU. A bucket that fills at kPerSecond
/// and holds kMost: one query of some ten thousand rows is told like any other, and on the average the probes of a process take
/// no more than about an eighth of a CPU. Once it is empty, steps go untold until it is half full again.
class StepBudget {
public:
    static constexpr std::uint64_t kPerSecond = 60'000;
    static constexpr std::uint64_t kMost = 240'000;
    enum class Verdict : std::uint8_t { go_on, pause, resume };

    /// `steps`: counted so far, never fewer than the last time.
    Verdict judge(std::uint64_t now_ns, std::uint64_t steps) {
        constexpr double kSecond = 1e9;
        const double gained = last_ns_ == 0 ? 0 : static_cast<double>(now_ns - last_ns_) / kSecond * kPerSecond;
        left_ = std::min(left_ + gained, static_cast<double>(kMost)) - static_cast<double>(steps - std::min(steps, last_steps_));
        last_ns_ = now_ns;
        last_steps_ = steps;
        if (!paused_ && left_ < 0) {
            paused_ = true;
            return Verdict::pause;
        }
        if (paused_ && left_ >= static_cast<double>(kMost) / 2) {
            paused_ = false;
            return Verdict::resume;
        }
        return Verdict::go_on;
    }

private:
    double left_ = kMost;  ///< may be below zero: what was spent before it was noticed is paid for
    std::uint64_t last_ns_ = 0;
    std::uint64_t last_steps_ = 0;
    bool paused_ = false;
};

}  // namespace timesink::live
