#include <gtest/gtest.h>

#include "drawn_memory.hpp"
#include "runtime/cpython.hpp"

namespace timesink::runtime {
namespace {

constexpr std::uint64_t kInterpreter = 0x50000;
constexpr std::uint64_t kHead = 16;
constexpr std::uint64_t kNext = 8;
constexpr std::uint64_t kContext = 224;
constexpr std::uint64_t kFirst = 0x60000;
constexpr std::uint64_t kSecond = 0x61000;
constexpr std::uint64_t kChunk = 0x90000;
constexpr std::uint64_t kChunkBytes = 16384;

CPython python(std::uint32_t minor = 11) {
    CPython found{};
    found.interpreter = kInterpreter;
    found.minor = minor;
    found.layout.threads_head = kHead;
    found.layout.next = kNext;
    found.layout.context = kContext;
    return found;
}

/// Two threads, whose states have nothing but a link in them.
void draw_threads(Drawn& memory) {
    memory.word(kInterpreter + kHead, kFirst);
    for (const auto state : {kFirst, kSecond}) {
        for (std::uint64_t at = 0; at < 64; at++) {
            memory.word(state + 8 * at, 0);
        }
    }
    memory.word(kFirst + kNext, kSecond);
}

void draw_chunk(Drawn& memory, std::uint64_t state, std::uint64_t offset, std::uint64_t chunk, std::uint64_t size = kChunkBytes) {
    memory.word(state + offset, chunk);
    memory.word(state + offset + 8, chunk + 800);
    memory.word(state + offset + 16, chunk + kChunkBytes);
    memory.word(chunk, 0);
    memory.word(chunk + 8, size);
    memory.word(chunk + 16, 0);
}

TEST(CPythonStack, IsWhereStateAndChunkSayTheSame) {
    Drawn memory;
    draw_threads(memory);
    draw_chunk(memory, kSecond, 296, kChunk);  // the first thread has run nothing yet
    EXPECT_EQ(find_data_stack(python(), memory), 296U);
    draw_chunk(memory, kFirst, 296, kChunk + 0x10000);
    EXPECT_EQ(find_data_stack(python(), memory), 296U);
}

TEST(CPythonStack, AChunkOfAnotherSizeIsNone) {
    Drawn memory;
    draw_threads(memory);
    draw_chunk(memory, kFirst, 296, kChunk, 2 * kChunkBytes);
    EXPECT_EQ(find_data_stack(python(), memory), 0U);
}

TEST(CPythonStack, ThreadsThatDisagreeTellNothing) {
    Drawn memory;
    draw_threads(memory);
    draw_chunk(memory, kFirst, 296, kChunk);
    draw_chunk(memory, kSecond, 304, kChunk + 0x10000);
    EXPECT_EQ(find_data_stack(python(), memory), 0U);
}

TEST(CPythonStack, BeforeThreeElevenThereIsNone) {
    Drawn memory;
    draw_threads(memory);
    draw_chunk(memory, kFirst, 296, kChunk);
    EXPECT_EQ(find_data_stack(python(10), memory), 0U);
}

TEST(CPythonStack, AListThatLeadsNowhereOrInACircleEnds) {
    Drawn memory;
    EXPECT_EQ(find_data_stack(python(), memory), 0U);
    draw_threads(memory);
    memory.word(kSecond + kNext, kFirst);
    EXPECT_EQ(find_data_stack(python(), memory), 0U);
    memory.word(kSecond + kNext, 0xdead0000);
    EXPECT_EQ(find_data_stack(python(), memory), 0U);
}

}  // namespace
}  // namespace timesink::runtime
