#include "runtime/cpython.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drawn_memory.hpp"

namespace timesink::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kRuntime = 0x10000;
constexpr std::uint64_t kVersion = 0x20000;
constexpr std::uint64_t kType = 0x30000;
constexpr std::uint64_t kCopy = 0x40000;
constexpr std::uint64_t kInterpreter = 0x50000;
constexpr std::uint64_t kFirst = 0x60000;
constexpr std::uint64_t kSecond = 0x61000;
constexpr std::uint64_t kContext = 0x70000;

/// Two threads, the second in a context.
void draw(Drawn& memory, std::uint64_t main, std::uint64_t threads, std::uint64_t thread_id, std::uint64_t context) {
    memory.word(kRuntime + main - 8, kInterpreter);
    memory.word(kRuntime + main, kInterpreter);
    memory.word(kInterpreter + threads, kFirst);
    memory.word(kFirst, 0);
    memory.word(kFirst + 8, kSecond);
    memory.word(kSecond, kFirst);
    memory.word(kSecond + 8, 0);
    for (const auto state : {kFirst, kSecond}) {
        memory.word(state + 16, kInterpreter);
        memory.word(state + thread_id, state + 1);
        memory.word(state + context, state == kSecond ? kContext : 0);
    }
    memory.word(kContext + 8, kType);
}

CPythonSymbols symbols(bool with_version = true) {
    return {kRuntime, with_version ? kVersion : 0, kType, kCopy, with_version ? kVersion : 0, 0x1, 0x1};
}

TEST(CPython, IsFollowedByTheTableOfItsVersion) {
    Drawn memory;
    memory.word(kVersion, 0x030b07f0);
    draw(memory, 48, 16, 152, 224);
    const auto examined = examine_cpython(symbols(), memory);
    ASSERT_EQ(examined.state, CPythonState::followed) << examined.reason;
    EXPECT_EQ(examined.version, "3.11.7");
    EXPECT_EQ(examined.found.interpreter, kInterpreter);
    EXPECT_EQ(examined.found.layout.context, 224U);
    EXPECT_EQ(examined.found.context_type, kType);
}

TEST(CPython, BeforeThreeElevenTheApiTellsTheVersion) {
    Drawn memory;
    draw(memory, 40, 8, 176, 240);
    CPythonSymbols known = symbols(false);
    EXPECT_EQ(examine_cpython(known, memory).version, "3.9");
    known[5] = 0;
    EXPECT_EQ(examine_cpython(known, memory).version, "3.8");
    EXPECT_EQ(examine_cpython(known, memory).state, CPythonState::followed);
    known[6] = 0;
    EXPECT_EQ(examine_cpython(known, memory).state, CPythonState::unsupported);
}

/// The words of _Py_DebugOffsets that matter, at their places in 3.13 and 3.14.
void tell_offsets(Drawn& memory, std::uint64_t free_threaded, std::size_t thread_state) {
    memory.text(kRuntime, "xdebugpy");
    for (std::size_t i = 0; i < 40; i++) {
        memory.word(kRuntime + 8 + i * 8, 0);
    }
    const auto tell = [&](std::size_t index, std::uint64_t value) { memory.word(kRuntime + 8 + index * 8, value); };
    tell(1, free_threaded);
    tell(4, 632);  // interpreters.head
    tell(8, 7344);
    tell(thread_state, 304);
    tell(thread_state + 2, 8);
    tell(thread_state + 3, 16);
    tell(thread_state + 5, 152);
}

TEST(CPython, SinceThreeThirteenItTellsItself) {
    for (const auto& [hex, index] : {std::pair{0x030d00f0U, 18U}, std::pair{0x030e06f0U, 21U}}) {
        Drawn memory;
        memory.word(kVersion, hex);
        tell_offsets(memory, 0, index);
        draw(memory, 640, 7344, 152, 208);
        const auto examined = examine_cpython(symbols(), memory);
        EXPECT_EQ(examined.state, CPythonState::followed) << examined.reason;
        EXPECT_EQ(examined.found.layout.thread_id, 152U);
        EXPECT_EQ(examined.found.layout.threads_head, 7344U);
    }
}

TEST(CPython, WhatIsNotKnownIsNotGuessed) {
    Drawn memory;
    tell_offsets(memory, 1, 18);
    draw(memory, 640, 7344, 152, 208);
    memory.word(kVersion, 0x030d00f0);
    EXPECT_THAT(examine_cpython(symbols(), memory).reason, HasSubstr("free-threaded"));
    memory.word(kVersion, 0x030f00f0);
    EXPECT_THAT(examine_cpython(symbols(), memory).reason, HasSubstr("not known"));
    memory.word(kVersion, 0x030d00a1);
    EXPECT_THAT(examine_cpython(symbols(), memory).reason, HasSubstr("before its release"));
    memory.text(kRuntime, "xdebugqy");
    memory.word(kVersion, 0x030d00f0);
    EXPECT_THAT(examine_cpython(symbols(), memory).reason, HasSubstr("does not tell"));
    memory.text(kRuntime, "xdebugpy");
    memory.word(kRuntime + 8 + 1 * 8, 0);                // not free-threaded
    memory.word(kRuntime + 8 + (18 + 5) * 8, 208 - 96);  // the thread's id, too far from its context to be read at once
    EXPECT_THAT(examine_cpython(symbols(), memory).reason, HasSubstr("makes no sense"));
    EXPECT_EQ(examine_cpython({}, memory).state, CPythonState::unsupported);
}

TEST(CPython, AnInterpreterThatIsNotUpIsAskedAgain) {
    Drawn memory;
    memory.word(kVersion, 0x030c01f0);
    memory.word(kRuntime + 48, 0);
    EXPECT_EQ(examine_cpython(symbols(), memory).state, CPythonState::starting);
}

TEST(CPython, StatesThatDoNotHoldTogetherAreNotFollowed) {
    const auto examine = [](std::uint64_t address, std::uint64_t value) {
        Drawn memory;
        memory.word(kVersion, 0x030b07f0);
        draw(memory, 48, 16, 152, 224);
        memory.word(address, value);
        return examine_cpython(symbols(), memory).state;
    };
    EXPECT_EQ(examine(kSecond, kFirst), CPythonState::followed);
    EXPECT_EQ(examine(kSecond, 0x1234), CPythonState::unsupported) << "not the previous one";
    EXPECT_EQ(examine(kFirst + 16, 0x1234), CPythonState::unsupported) << "another interpreter's";
    EXPECT_EQ(examine(kContext + 8, 0x1234), CPythonState::unsupported) << "not a context";
}

TEST(CPython, OtherMakersOfContextsAreFoundByTheirType) {
    Drawn memory;
    memory.word(kVersion, 0x030b07f0);
    draw(memory, 48, 16, 152, 224);
    memory.word(kType + 312, 0x41000);  // tp_new
    memory.word(kType + 232, 0x80000);  // tp_methods
    memory.word(0x80000, 0x90000);
    memory.word(0x80008, 0x42000);
    memory.word(0x80020, 0x90010);
    memory.word(0x80028, 0x43000);
    memory.word(0x80040, 0);
    memory.text(0x90000, std::string_view("run\0\0\0", 6));
    memory.text(0x90010, std::string_view("copy\0", 5));
    EXPECT_THAT(examine_cpython(symbols(), memory).found.makers, ElementsAre(0x41000, 0x43000));
}

TEST(CPython, SubInterpretersAreNoticed) {
    Drawn memory;
    memory.word(kVersion, 0x030b07f0);
    draw(memory, 48, 16, 152, 224);
    EXPECT_FALSE(examine_cpython(symbols(), memory).found.sub_interpreters);
    memory.word(kRuntime + 40, kInterpreter + 0x1000);
    const auto examined = examine_cpython(symbols(), memory);
    EXPECT_EQ(examined.state, CPythonState::followed) << "the main one is";
    EXPECT_TRUE(examined.found.sub_interpreters);
}

}  // namespace
}  // namespace timesink::runtime
