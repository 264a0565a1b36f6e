#include "analyze/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace timesink::analyze {
namespace {

TEST(Distribution, AnEmptyOneHasNoValues) {
    const Quantiles none = Distribution().quantiles();
    EXPECT_EQ(none.count, 0U);
    EXPECT_EQ(none.mean(), Duration{});
}

TEST(Distribution, ASingleValueIsItsOwnQuantile) {
    Distribution one;
    one.add(Duration(58'123'456));
    EXPECT_EQ(one.quantiles().p50, Duration(58'123'456));
    EXPECT_EQ(one.quantiles().p99, Duration(58'123'456));
    EXPECT_EQ(one.quantiles().mean(), Duration(58'123'456));
}

TEST(Distribution, QuantilesAreWithinTheDocumentedError) {
    std::mt19937_64 random(7);
    std::vector<std::int64_t> values;
    Distribution distribution;
    Duration sum{};
    for (int i = 0; i < 20'000; ++i) {
        const auto exponent = static_cast<double>(random() % 8'000'000) / 1e6;  // 1 µs to 100 s
        values.push_back(static_cast<std::int64_t>(1e3 * std::pow(10, exponent)));
        distribution.add(Duration(values.back()));
        sum += Duration(values.back());
    }
    std::sort(values.begin(), values.end());
    const Quantiles quantiles = distribution.quantiles();
    const auto near = [&](Duration got, std::size_t per_cent) {
        const auto exact = static_cast<double>(values[(values.size() * per_cent + 99) / 100 - 1]);
        EXPECT_NEAR(static_cast<double>(got.count()), exact, exact * Distribution::kRelativeError) << per_cent;
    };
    near(quantiles.p50, 50);
    near(quantiles.p90, 90);
    near(quantiles.p95, 95);
    near(quantiles.p99, 99);
    EXPECT_EQ(quantiles.sum, sum);
    EXPECT_EQ(quantiles.min.count(), values.front());
    EXPECT_EQ(quantiles.max.count(), values.back());
}

TEST(Distribution, MergingGivesWhatAddingOneByOneGives) {
    Distribution all;
    Distribution first;
    Distribution second;
    for (int i = 0; i < 1000; ++i) {
        const Duration value(1000 + i * i * 997);
        all.add(value);
        (i % 3 == 0 ? first : second).add(value);
    }
    Distribution empty;
    first.add(second);
    first.add(empty);
    empty.add(first);
    EXPECT_EQ(empty.quantiles().p95, all.quantiles().p95);
    EXPECT_EQ(empty.quantiles().sum, all.quantiles().sum);
    EXPECT_EQ(empty.quantiles().min, all.quantiles().min);
    EXPECT_EQ(empty.quantiles().count, 1000U);
}

TEST(Distribution, ExtremesAreHeldByTheAxis) {
    Distribution extremes;
    extremes.add(Duration{});
    extremes.add(Duration(-5));
    extremes.add(Duration::max() / 4);
    const Quantiles quantiles = extremes.quantiles();
    EXPECT_EQ(quantiles.p50, Duration{});
    EXPECT_EQ(quantiles.p99, Duration::max() / 4);
}

}  // namespace
}  // namespace timesink::analyze
