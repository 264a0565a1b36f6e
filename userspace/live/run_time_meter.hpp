#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "live/kernel_side.hpp"

namespace timesink::live {

/// Measures what the programs cost, in short windows: counting takes two clock reads for each run of a program, which costs about
/// as much as the programs themselves, so it is on for a hundredth of the time attached. The first window opens at once, or, of
/// an attach that follows another, when the one before would have opened its next.
class RunTimeMeter {
public:
    static constexpr Duration kWindow = std::chrono::milliseconds(100);
    static constexpr Duration kPeriod = std::chrono::seconds(10);

    /// `waits`: for the first window, from the first tick() on.
    explicit RunTimeMeter(Duration waits = {}) : waits_(waits) {}
    ~RunTimeMeter();
    RunTimeMeter(const RunTimeMeter&) = delete;
    RunTimeMeter& operator=(const RunTimeMeter&) = delete;

    /// Opens or closes a window when it is time to. To be called at every drain.
    void tick(const KernelSide& kernel, std::uint64_t now_ns);
    void finish(const KernelSide& kernel, std::uint64_t now_ns);

    [[nodiscard]] std::uint64_t measured_ns() const { return measured_ns_; }
    /// Until the next window would open, were it to go on at `now_ns`.
    [[nodiscard]] Duration waits(std::uint64_t now_ns) const;
    /// What was counted in the windows, programs that ran, by name.
    [[nodiscard]] std::vector<ProgramRunTime> totals() const;
    /// Runs that the kernel left out since the first tick(), of all programs: what they would have told is missing.
    [[nodiscard]] std::uint64_t left_out(const KernelSide& kernel) const;

private:
    void open(const KernelSide& kernel, std::uint64_t now_ns);
    Duration waits_;
    int descriptor_ = -1;  ///< the kernel counts while it is open
    std::uint64_t opened_ns_ = 0;
    std::uint64_t next_ns_ = 0;
    std::uint64_t measured_ns_ = 0;
    std::uint64_t left_out_before_ = 0;  ///< when it began: programs outlive an attach
    std::vector<ProgramRunTime> before_;
    std::map<std::string, ProgramRunTime> totals_;
};

}  // namespace timesink::live
