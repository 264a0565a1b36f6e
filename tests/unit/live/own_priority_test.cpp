#include "live/own_priority.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

namespace timesink::live {
namespace {

int policy() {
    return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

/// The watcher looks every 10 ms; a busy machine may take its time.
bool becomes(int wanted) {
    for (int i = 0; i < 500 && policy() != wanted; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return policy() == wanted;
}

/// Whether work of some slices is interrupted by rests of its own.
bool rests() {
    rusage before{};
    rusage after{};
    getrusage(RUSAGE_THREAD, &before);
    for (const auto end = std::chrono::steady_clock::now() + 10 * Pace::kSlice; std::chrono::steady_clock::now() < end;) {
        Pace::look();
    }
    getrusage(RUSAGE_THREAD, &after);
    return after.ru_nvcsw > before.ru_nvcsw;
}

TEST(OwnPriority, GivesWayUnlessRecordsPileUp) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs CAP_SYS_NICE";
    }
    const int before = policy();
    std::atomic<double> fill = 0;
    {
        const OwnPriority priority([&fill] { return fill.load(); });
        EXPECT_TRUE(becomes(SCHED_IDLE));
        fill = 0.5;
        EXPECT_TRUE(becomes(SCHED_OTHER));
        fill = 0.1;  // not yet drained: as before
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_EQ(policy(), SCHED_OTHER);
        EXPECT_FALSE(rests());
        fill = 0;
        EXPECT_TRUE(becomes(SCHED_IDLE));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_TRUE(rests());
    }
    EXPECT_FALSE(rests());
    EXPECT_EQ(policy(), before);
}

}  // namespace
}  // namespace timesink::live
