#include "base/pace.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <optional>
#include <thread>

namespace timesink {
namespace {

/// How often the thread gave its CPU away of itself.
long rests() {
    rusage use{};
    getrusage(RUSAGE_THREAD, &use);
    return use.ru_nvcsw;
}

/// Works for some slices, in a thread of its own; returns how often it rested.
long rests_of_work(Pace* pace, void (*between)()) {
    long rested = 0;
    std::thread([&] {
        std::optional<Pace::Kept> kept;
        if (pace != nullptr) {
            kept.emplace(*pace);
        }
        const auto end = std::chrono::steady_clock::now() + 20 * Pace::kSlice;
        const long before = rests();
        while (std::chrono::steady_clock::now() < end) {
            between();
        }
        rested = rests() - before;
    }).join();
    return rested;
}

TEST(Pace, RestsInTheMidstOfLongWork) {
    Pace pace;
    EXPECT_GE(rests_of_work(&pace, &Pace::point), 2);
    EXPECT_GE(rests_of_work(&pace, &Pace::look), 2);
}

TEST(Pace, DoesNotRestInHaste) {
    Pace pace;
    pace.hurry(true);
    EXPECT_EQ(rests_of_work(&pace, &Pace::point), 0);
    pace.hurry(false);
    EXPECT_GE(rests_of_work(&pace, &Pace::point), 2);
}

TEST(Pace, IsOfTheThreadsThatKeepOne) {
    EXPECT_EQ(rests_of_work(nullptr, &Pace::point), 0);
    Pace pace;
    { const Pace::Kept kept(pace); }
    const long before = rests();
    for (int i = 0; i < 1000; ++i) {
        Pace::look();
    }
    EXPECT_EQ(rests(), before);
}

}  // namespace
}  // namespace timesink
