#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace timesink {

/// Long work of a thread in slices with rests between them, so that whoever else wants its CPU waits no longer than a slice. The
/// scheduler alone does not see to that: SCHED_IDLE gives way to threads of the same group only, and each session (sched(7),
/// autogroups), systemd unit and container may be a group of its own (docs/adr/0006).
///
/// Of code that is used with and without it: Pace::point() stands between two pieces of work of a microsecond or some,
/// Pace::look() between two of ten and more. On a thread without a Pace they do nothing.
class Pace {
public:
    static constexpr std::chrono::microseconds kSlice{400};
    static constexpr std::chrono::microseconds kRest{50};  ///< the kernel adds its timer slack, 50 µs

    /// No rests from now on, for there is no time; or again. From any thread.
    void hurry(bool on) { hurried_ = on; }

    static void point() {
        if (Pace* const pace = of_thread_; pace != nullptr && --pace->points_left_ == 0) {
            pace->rest_if_due();
        }
    }
    static void look() {
        if (Pace* const pace = of_thread_; pace != nullptr) {
            pace->rest_if_due();
        }
    }

    /// While it lives, the thread that made it works at `pace`, which must outlive it and be no other thread's.
    class Kept {
    public:
        explicit Kept(Pace& pace) { of_thread_ = &pace; }
        ~Kept() { of_thread_ = nullptr; }
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
    };

private:
    static constexpr unsigned kPointsALook = 16;  // the clock takes as long as 20 points

    void rest_if_due();

    static inline constinit thread_local Pace* of_thread_ = nullptr;

    std::atomic<bool> hurried_ = false;
    unsigned points_left_ = kPointsALook;
    std::chrono::steady_clock::time_point rested_;
};

}  // namespace timesink
