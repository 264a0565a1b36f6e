#include "live/idle_share.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace timesink::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(IdleShare, IsOfTheLastWholeInterval) {
    IdleShare idle;
    EXPECT_EQ(idle.at(seconds(10)), 0) << "nothing is known yet";
    EXPECT_EQ(idle.at(seconds(10) + milliseconds(999)), 0);
    std::this_thread::sleep_for(milliseconds(100));  // some ticks of 10 ms
    const double share = idle.at(seconds(11));
    EXPECT_GE(share, 0);
    EXPECT_LE(share, 1);
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_EQ(idle.at(seconds(11) + milliseconds(500)), share) << "not read again before its time";
}

}  // namespace
}  // namespace timesink::live
