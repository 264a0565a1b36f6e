#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/memory.hpp"

namespace timesink::runtime {
namespace {

constexpr std::size_t kPage = 4096;

/// Bytes of consecutive values from the page at kBegin on, and how often it was asked.
class Counting : public Memory {
public:
    static constexpr std::uint64_t kBegin = 0x10000;
    static constexpr std::size_t kPages = 3;

    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) const override {
        reads++;
        if (address < kBegin || address + to.size() > kBegin + kPages * kPage) {
            return false;
        }
        for (std::byte& byte : to) {
            byte = at(address++);
        }
        return true;
    }
    static std::byte at(std::uint64_t address) { return static_cast<std::byte>(address ^ address >> 8); }

    mutable int reads = 0;
};

bool reads_as_it_is(const Memory& memory, std::uint64_t address, std::size_t size) {
    std::vector<std::byte> bytes(size);
    if (!memory.read(address, bytes)) {
        return false;
    }
    for (std::size_t i = 0; i < size; i++) {
        if (bytes[i] != Counting::at(address + i)) {
            return false;
        }
    }
    return true;
}

TEST(PagedMemory, ReadsEachPageOnce) {
    const Counting behind;
    const PagedMemory memory(behind);
    for (std::uint64_t address = Counting::kBegin; address + 8 <= Counting::kBegin + 2 * kPage; address += 8) {
        ASSERT_TRUE(reads_as_it_is(memory, address, 8));
    }
    EXPECT_EQ(behind.reads, 2);
}

TEST(PagedMemory, ReadsAcrossTheBorderOfTwoPages) {
    const Counting behind;
    const PagedMemory memory(behind);
    EXPECT_TRUE(reads_as_it_is(memory, Counting::kBegin + kPage - 3, 8));
    EXPECT_TRUE(reads_as_it_is(memory, Counting::kBegin + 1, kPage));
    EXPECT_EQ(behind.reads, 2);
}

TEST(PagedMemory, WhatIsLargerThanAPageIsReadAtOnce) {
    const Counting behind;
    EXPECT_TRUE(reads_as_it_is(PagedMemory(behind), Counting::kBegin + 5, 2 * kPage));
    EXPECT_EQ(behind.reads, 1);
}

TEST(PagedMemory, WhatCannotBeReadIsAskedForOnce) {
    const Counting behind;
    const PagedMemory memory(behind);
    EXPECT_FALSE(reads_as_it_is(memory, Counting::kBegin - 8, 8));
    EXPECT_FALSE(reads_as_it_is(memory, Counting::kBegin - 16, 8));
    EXPECT_FALSE(reads_as_it_is(memory, Counting::kBegin - 4, 8)) << "a part of it is there";
    EXPECT_FALSE(reads_as_it_is(memory, Counting::kBegin + Counting::kPages * kPage - 4, 8));
    EXPECT_EQ(behind.reads, 3);
    EXPECT_FALSE(reads_as_it_is(memory, Counting::kBegin - 4, 2 * kPage)) << "at once";
}

}  // namespace
}  // namespace timesink::runtime
