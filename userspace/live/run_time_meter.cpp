#include "live/run_time_meter.hpp"

#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace timesink::live {

RunTimeMeter::~RunTimeMeter() {
    if (descriptor_ >= 0) {
        close(descriptor_);
    }
}

namespace {

std::uint64_t sum_left_out(const std::vector<ProgramRunTime>& programs) {
    return std::accumulate(programs.begin(), programs.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const ProgramRunTime& program) { return sum + program.left_out; });
}

}  // namespace

void RunTimeMeter::open(const KernelSide& kernel, std::uint64_t now_ns) {
    before_ = kernel.run_times();
    descriptor_ = enable_run_time();
    opened_ns_ = now_ns;
    next_ns_ = now_ns + static_cast<std::uint64_t>(kPeriod.count());
}

Duration RunTimeMeter::waits(std::uint64_t now_ns) const {
    return next_ns_ == 0 ? waits_ : std::chrono::nanoseconds(next_ns_ - std::min(next_ns_, now_ns));
}

void RunTimeMeter::tick(const KernelSide& kernel, std::uint64_t now_ns) {
    if (next_ns_ == 0) {
        left_out_before_ = sum_left_out(kernel.run_times());
        next_ns_ = now_ns + static_cast<std::uint64_t>(waits_.count());
    }
    if (descriptor_ >= 0 && now_ns >= opened_ns_ + static_cast<std::uint64_t>(kWindow.count())) {
        finish(kernel, now_ns);
    } else if (descriptor_ < 0 && now_ns >= next_ns_) {
        open(kernel, now_ns);
    }
}

void RunTimeMeter::finish(const KernelSide& kernel, std::uint64_t now_ns) {
    if (descriptor_ < 0) {
        return;
    }
    close(descriptor_);
    descriptor_ = -1;
    measured_ns_ += now_ns - opened_ns_;
    const auto after = kernel.run_times();
    for (std::size_t i = 0; i < after.size() && i < before_.size(); i++) {
        if (after[i].runs > before_[i].runs) {
            auto& total = totals_[after[i].program];
            total.program = after[i].program;
            total.runs += after[i].runs - before_[i].runs;
            total.ns += after[i].ns - before_[i].ns;
        }
    }
}

std::uint64_t RunTimeMeter::left_out(const KernelSide& kernel) const {
    return sum_left_out(kernel.run_times()) - left_out_before_;
}

std::vector<ProgramRunTime> RunTimeMeter::totals() const {
    std::vector<ProgramRunTime> list;
    for (const auto& [name, total] : totals_) {
        list.push_back(total);
    }
    return list;
}

}  // namespace timesink::live
