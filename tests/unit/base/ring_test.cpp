#include "base/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/ring_search.hpp"

namespace timesink {
namespace {

TEST(Ring, IsAQueueWhateverComesAndGoes) {
    Ring<int> ring;
    std::deque<int> same;
    for (int i = 0; i < 1000; ++i) {
        ring.push_back(i);
        same.push_back(i);
        if (i % 3 == 1) {
            ring.pop_front();
            same.pop_front();
        }
        if (i % 7 == 2) {
            ring.pop_back();
            same.pop_back();
        }
        ASSERT_EQ(ring.size(), same.size());
        ASSERT_EQ(ring.front(), same.front());
        ASSERT_EQ(ring.back(), same.back());
    }
    for (std::size_t i = 0; i < same.size(); ++i) {
        EXPECT_EQ(ring[i], same[i]);
    }
}

TEST(Ring, CountsWhatStandsInFrontAtEverySizeAndPlace) {
    for (std::size_t size = 0; size < 40; ++size) {
        Ring<std::size_t> ring;
        for (std::size_t i = 0; i < size; ++i) {
            ring.push_back(i);
        }
        for (std::size_t limit = 0; limit <= size + 1; ++limit) {
            EXPECT_EQ(ring.count_front([limit](std::size_t value) { return value < limit; }), std::min(limit, size));
        }
    }
}

TEST(Ring, FindsBehindTheSeamOfItsMemory) {
    Ring<int> ring;
    for (int i = 0; i < 8; ++i) {
        ring.push_back(i);
    }
    for (int i = 8; i < 13; ++i) {
        ring.pop_front();
        ring.push_back(i);
    }
    for (int limit = 5; limit <= 13; ++limit) {
        EXPECT_EQ(ring.count_front([limit](int value) { return value < limit; }), static_cast<std::size_t>(limit - 5));
    }
}

TEST(Ring, CountsTheSameWhereverTheLatestSearchEnded) {
    for (std::size_t size = 0; size < 24; ++size) {
        Ring<std::size_t> ring;
        for (std::size_t i = 0; i < size; ++i) {
            ring.push_back(i);
        }
        for (std::size_t limit = 0; limit <= size; ++limit) {
            for (std::size_t latest = 0; latest < size + 3; ++latest) {
                std::size_t near = latest;
                EXPECT_EQ(count_front_near(ring, near, [limit](std::size_t value) { return value < limit; }), limit)
                    << size << ' ' << latest;
                EXPECT_EQ(near, limit);
            }
        }
    }
}

TEST(Ring, GoesBackFromAnElementAcrossTheSeamOfItsMemory) {
    Ring<int> ring;
    for (int i = 0; i < 8; ++i) {
        ring.push_back(i);
    }
    for (int i = 8; i < 13; ++i) {
        ring.pop_front();
        ring.push_back(i);
    }
    const int* at = &ring.back();
    for (int value = 12; value > 5; --value) {
        at = ring.before(*at);
        ASSERT_NE(at, nullptr);
        EXPECT_EQ(*at, value - 1);
    }
    EXPECT_EQ(ring.before(*at), nullptr);
}

}  // namespace
}  // namespace timesink
