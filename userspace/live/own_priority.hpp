#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "base/pace.hpp"

namespace timesink::live {

/// Who gets the CPU when somebody else wants it.
enum class Share : std::uint8_t {
    ordinary,   ///< SCHED_OTHER
    left_over,  ///< SCHED_IDLE: what nobody else wants
};

/// Whether the kernel would give a thread its ordinary share back (CAP_SYS_NICE, RLIMIT_NICE). Tried on a thread that ends.
bool can_return_to_ordinary_share();
/// A thread of this process, by its tid; 0: the caller. False: the kernel refuses.
bool set_share(pid_t thread, Share share);

/// Lets the thread that made it work only when nobody else wants its CPU (SCHED_IDLE, and in slices: base/pace.hpp), so that the
/// traced service and its load do not wait for timesink; and gives it its ordinary share back, without rests, while records pile
/// up, so that none are lost. Ends with ordinary scheduling, on the thread that made it. Where the kernel would not give the
/// ordinary share back (no CAP_SYS_NICE, RLIMIT_NICE 0), nothing is changed.
class OwnPriority {
public:
    static constexpr double kUrgent = 1;
    /// `fill`: share of the fullest ring that waits, 0 … 1, or kUrgent: there is no time to wait for others; called from another
    /// thread every kLook.
    explicit OwnPriority(std::function<double()> fill);
    ~OwnPriority();
    OwnPriority(const OwnPriority&) = delete;
    OwnPriority& operator=(const OwnPriority&) = delete;

private:
    void watch(const std::stop_token& stop);

    pid_t worker_;
    std::function<double()> fill_;
    Pace pace_;
    std::optional<Pace::Kept> kept_;
    std::jthread watcher_;
};

}  // namespace timesink::live
