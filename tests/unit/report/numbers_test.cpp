#include "report/numbers.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace timesink::report {
namespace {

TEST(Numbers, ThreeSignificantDigits) {
    struct Case {
        double value;
        const char* text;
    };
    for (const Case& each : {Case{0, "0"}, Case{0.00001, "<0.001"}, Case{0.1234, "0.123"}, Case{1.416, "1.42"},
                             Case{9.996, "10.0"}, Case{58.12, "58.1"}, Case{99.96, "100"}, Case{143.4, "143"}, Case{999.4, "999"},
                             Case{999.6, "1,000"}, Case{12'345, "12,300"}, Case{1e18, "1,000,000,000,000,000,000"}}) {
        EXPECT_EQ(three_digits(each.value), each.text) << each.value;
    }
    EXPECT_EQ(three_digits(std::numeric_limits<double>::infinity()), "–");
    EXPECT_EQ(three_digits(std::numeric_limits<double>::quiet_NaN()), "–");
}

TEST(Numbers, DurationsChooseTheirUnit) {
    EXPECT_EQ(duration(Duration{}), "0 ms");
    EXPECT_EQ(duration(Duration(-1)), "0 ms");
    EXPECT_EQ(duration(Duration(410)), "0.410 µs");
    EXPECT_EQ(duration(Duration(410'000)), "410 µs");
    EXPECT_EQ(duration(Duration(999'600)), "1.00 ms");
    EXPECT_EQ(duration(Duration(58'123'456)), "58.1 ms");
    EXPECT_EQ(duration(Duration(8'019'000'000)), "8.02 s");
    EXPECT_EQ(duration(Duration::max()), "9,220,000,000 s");
}

TEST(Numbers, AColumnOfTimesHasOneUnit) {
    const TimeScale scale = TimeScale::of(48.2e6);
    EXPECT_EQ(scale.unit, "ms");
    EXPECT_EQ(scale.fixed(48.2e6), "48.2");
    EXPECT_EQ(scale.fixed(0.4e6), "0.4");
    EXPECT_EQ(scale.fixed(1), "<0.1");
    EXPECT_EQ(scale.fixed(0), "0.0");
    EXPECT_EQ(scale.digits(0.044e6), "0.04");
    EXPECT_EQ(scale.digits(1.42e6), "1.42");
    EXPECT_EQ(scale.digits(143e6), "143");
}

TEST(Numbers, PercentagesNeverSayNoneOrAllWhenItIsNot) {
    EXPECT_EQ(percent(0), "0.0 %");
    EXPECT_EQ(percent(0.0001), "<0.1 %");
    EXPECT_EQ(percent(0.5789), "57.9 %");
    EXPECT_EQ(percent(0.99999), "99.9 %");
    EXPECT_EQ(percent(1), "100.0 %");
    EXPECT_EQ(percent_short(0.00001), "<0.01 %");
    EXPECT_EQ(percent_short(0.999), "99.9 %");
    EXPECT_EQ(percent_short(0.02), "2.0 %");
    EXPECT_EQ(percent_short(0.0005), "0.05 %");
}

TEST(Numbers, BytesGroupsAndLengths) {
    EXPECT_EQ(bytes(0), "0 B");
    EXPECT_EQ(bytes(42'000), "42.0 KB");
    EXPECT_EQ(bytes(1.8e19), "18.0 EB");
    EXPECT_EQ(grouped(12'418), "12,418");
    EXPECT_EQ(grouped(std::numeric_limits<std::uint64_t>::max()), "18,446,744,073,709,551,615");
    EXPECT_EQ(run_length(std::chrono::seconds(60)), "60.0 s");
    EXPECT_EQ(run_length(std::chrono::seconds(605)), "10 min 05 s");
    EXPECT_EQ(run_length(std::chrono::minutes(125)), "2 h 05 min");
}

TEST(Numbers, DecimalPointsStandBelowEachOther) {
    EXPECT_EQ(align_points({"58.1", "143", "1.42", "–"}), (std::vector<std::string>{" 58.1 ", "143   ", "  1.42", "  –   "}));
}

}  // namespace
}  // namespace timesink::report
