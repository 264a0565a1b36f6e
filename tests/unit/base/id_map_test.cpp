#include "base/id_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace timesink {
namespace {

TEST(IdMap, IsAMapWhateverComesAndGoes) {
    IdMap<SocketId, std::unique_ptr<std::uint64_t>> map;
    std::map<SocketId, std::uint64_t> same;
    std::mt19937_64 random(7);
    for (std::uint64_t step = 1; step < 20000; ++step) {
        // Few ids at first, so that entries push each other out of their places; then more, so that it grows.
        const SocketId id{random() % (step < 10000 ? 40 : 3000)};
        if (random() % 2 == 0) {
            map[id] = std::make_unique<std::uint64_t>(step);
            same[id] = step;
        } else {
            map.erase(id);
            same.erase(id);
        }
        ASSERT_EQ(map.size(), same.size());
        const SocketId asked{random() % 3000};
        ASSERT_EQ(map.find(asked) != nullptr, same.contains(asked));
    }
    for (const auto& [id, value] : same) {
        ASSERT_NE(map.find(id), nullptr);
        EXPECT_EQ(**map.find(id), value);
    }
    std::size_t seen = 0;
    map.for_each([&](SocketId id, const std::unique_ptr<std::uint64_t>& value) {
        ++seen;
        EXPECT_EQ(*value, same.at(id));
    });
    EXPECT_EQ(seen, same.size());
}

TEST(IdMap, AnEntryThatWasErasedBeginsAnew) {
    IdMap<ThreadId, int> map;
    map[ThreadId{5}] = 3;
    map.erase(ThreadId{5});
    map.erase(ThreadId{6});
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map[ThreadId{5}], 0);
}

}  // namespace
}  // namespace timesink
