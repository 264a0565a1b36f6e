#include "net/byte_times.hpp"

#include <gtest/gtest.h>

namespace timesink::net {
namespace {

constexpr ThreadId kThread{7};
constexpr ProcessId kProcess{5};

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

TEST(ByteTimes, AByteArrivedWithTheFirstReportThatReachesIt) {
    ByteTimes times;
    times.arrived(10, ms(1));
    times.arrived(30, ms(2));
    times.moved(0, 30, ms(3), ms(4), kThread, kProcess);
    EXPECT_EQ(times.at(0).arrived, ms(1));
    EXPECT_EQ(times.at(9).arrived, ms(1));
    EXPECT_EQ(times.at(10).arrived, ms(2));
    EXPECT_EQ(times.at(29).arrived, ms(2));
    EXPECT_FALSE(times.at(30).known);
}

TEST(ByteTimes, ARepeatedReportDoesNotMoveTheArrival) {
    ByteTimes times;
    times.arrived(10, ms(1));
    times.arrived(10, ms(5));
    times.moved(0, 10, ms(6), ms(7), kThread, kProcess);
    EXPECT_EQ(times.at(5).arrived, ms(1));
}

TEST(ByteTimes, AnArrivalAfterTheReadIsNotTheOneThatWasLost) {
    ByteTimes times;
    times.moved(0, 10, ms(1), ms(2), kThread, kProcess);
    times.arrived(20, ms(3));
    times.moved(10, 20, ms(4), ms(5), kThread, kProcess);
    EXPECT_TRUE(times.at(4).known);
    EXPECT_FALSE(times.at(4).arrival_known);
    EXPECT_TRUE(times.at(15).arrival_known);
}

TEST(ByteTimes, UnixSocketsSettleTheirArrivalsWithTheNextRead) {
    ByteTimes times;
    times.arrived_somewhat(ms(1));
    times.arrived_somewhat(ms(2));
    times.moved(0, 100, ms(3), ms(3), kThread, kProcess);
    times.settle_arrivals(0, 100, ms(3), false);
    EXPECT_EQ(times.at(0).arrived, ms(1));
    EXPECT_EQ(times.at(99).arrived, ms(2));
    // What the first read left behind had arrived by then.
    times.moved(100, 150, ms(4), ms(4), kThread, kProcess);
    times.settle_arrivals(100, 150, ms(4), false);
    EXPECT_EQ(times.at(120).arrived, ms(2));
}

TEST(ByteTimes, EachDatagramArrivedByItself) {
    ByteTimes times;
    times.arrived_somewhat(ms(1));
    times.arrived_somewhat(ms(5));
    times.moved(0, 30, ms(6), ms(6), ThreadId{1}, ProcessId{1});
    times.settle_arrivals(0, 30, ms(6), true);
    times.moved(30, 70, ms(7), ms(7), ThreadId{1}, ProcessId{1});
    times.settle_arrivals(30, 70, ms(7), true);
    EXPECT_EQ(times.at(29).arrived, ms(1));
    EXPECT_EQ(times.at(30).arrived, ms(5));
    EXPECT_EQ(times.at(69).arrived, ms(5));
}

TEST(ByteTimes, ForgetsTheOldestCallsAndSaysSo) {
    ByteTimes times;
    for (std::uint64_t call = 0; call < ByteTimes::kKept + 10; ++call) {
        times.moved(call * 10, call * 10 + 10, ms(1), ms(1), kThread, kProcess);
    }
    EXPECT_FALSE(times.at(5).known);
    EXPECT_TRUE(times.at(10 * ByteTimes::kKept).known);
}

TEST(ByteTimes, OfWhatIsOldItKeepsLess) {
    ByteTimes times;
    const auto second = [](std::uint64_t at) { return ms(static_cast<std::int64_t>(at) * 1000); };
    constexpr std::uint64_t kCalls = ByteTimes::kKept - 1;
    for (std::uint64_t call = 0; call < kCalls; ++call) {
        times.arrived(call * 10 + 10, second(call));
        times.moved(call * 10, call * 10 + 10, second(call), second(call), kThread, kProcess);
    }
    const std::uint64_t oldest = kCalls - ByteTimes::kKeptAnyhow;
    EXPECT_FALSE(times.at(oldest * 10 - 1).known);
    EXPECT_TRUE(times.at(oldest * 10).known);
    EXPECT_FALSE(times.at(oldest * 10).arrival_known) << "the oldest that is left may be of bytes before it";
    EXPECT_TRUE(times.at(oldest * 10 + 10).arrival_known);
}

}  // namespace
}  // namespace timesink::net
