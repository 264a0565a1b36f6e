#include "runtime/probe_place.hpp"

#include <gmock/gmock.h>

#include <initializer_list>
#include <random>
#include <vector>

#include "unit/runtime/machine_code.hpp"

namespace timesink::runtime {
namespace {

std::optional<std::size_t> entered(std::initializer_list<int> values) {
    return cheap_place(code(values), Convention::system_v, false);
}

std::optional<std::size_t> returned(std::initializer_list<int> values) {
    return cheap_place(code(values), Convention::system_v, true);
}

TEST(ProbePlace, APushIsAsGoodAsAnEntryCanBe) {
    EXPECT_EQ(entered({0x55, 0x48, 0x89, 0xe5}), 0U);                    // push rbp
    EXPECT_EQ(entered({0x41, 0x57, 0x41, 0x56}), 0U);                    // push r15
    EXPECT_EQ(entered({0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89}), 4U);  // endbr64; push rbp
    EXPECT_EQ(returned({0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89}), 4U);
}

TEST(ProbePlace, AnEntryIsSeenBehindTheStacksMoveAndAReturnIsNot) {
    // Debian's SSL_write_ex(): sub rsp, 8; call; xor edx, edx
    EXPECT_EQ(entered({0x48, 0x83, 0xec, 8, 0xe8, 0x87, 0xfb, 0xff, 0xff, 0x31, 0xd2}), 4U);
    EXPECT_EQ(returned({0x48, 0x83, 0xec, 8, 0xe8, 0x87, 0xfb, 0xff, 0xff, 0x31, 0xd2}), std::nullopt);
    // Debian's SSL_write(): sub rsp, 0x18; mov rax, fs:0x28; mov [rsp + 8], rax; xor eax, eax; test edx, edx; js
    EXPECT_EQ(entered({0x48, 0x83, 0xec, 0x18, 0x64, 0x48, 0x8b, 4,    0x25, 0x28, 0,    0,    0,   0x48,
                       0x89, 0x44, 0x24, 8,    0x31, 0xc0, 0x85, 0xd2, 0x78, 0x2f, 0x48, 0x89, 0xe1}),
              22U);
}

TEST(ProbePlace, ArgumentsMustStillBeWhereTheyWere) {
    EXPECT_EQ(entered({0x89, 0xd2, 0x55}), std::nullopt);           // mov edx, edx; push rbp
    EXPECT_EQ(entered({0x4c, 0x8b, 0x47, 8, 0x55}), std::nullopt);  // mov r8, [rdi + 8]; push rbp
    EXPECT_EQ(entered({0x48, 0x87, 0xf7, 0x55}), std::nullopt);     // xchg rdi, rsi; push rbp
    EXPECT_EQ(entered({0x48, 0x89, 0xf8, 0x55}), 3U);               // mov rax, rdi; push rbp
    EXPECT_EQ(cheap_place(code({0x48, 0x89, 0xf8, 0x55}), Convention::go, false), std::nullopt);
}

/// cmp rsp, [r14 + 16]; jbe +0x20; push rbp: what begins most functions of Go
TEST(ProbePlace, GoLooksAtItsStackFirst) {
    EXPECT_EQ(cheap_place(code({0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55, 0x48, 0x89, 0xe5}), Convention::go, false), 4U);
}

TEST(ProbePlace, WhatIsPassedMoreThanOnceIsNoEntry) {
    // test esi, esi; je +4; dec esi; jmp to the je
    EXPECT_EQ(entered({0x85, 0xf6, 0x74, 4, 0xff, 0xce, 0xeb, 0xfa, 0xc3}), std::nullopt);
    // The same, back to the entry itself, as a function that calls itself last: as the entry would see it.
    EXPECT_EQ(entered({0x85, 0xf6, 0x74, 4, 0xff, 0xce, 0xeb, 0xf8, 0xc3}), 2U);
}

TEST(ProbePlace, WhatTheKernelStepsOverIsNotCheap) {
    EXPECT_EQ(entered({0x48, 0x89, 0xf8, 0xc3}), std::nullopt);  // mov rax, rdi; ret
    EXPECT_EQ(entered({0xff, 0x25, 0, 0, 0, 0}), std::nullopt);  // jmp [rip]
    EXPECT_EQ(entered({0x66, 0xe8, 0, 0, 0x55}), std::nullopt);  // callw
    EXPECT_EQ(entered({0x6a, 1, 0x55}), 2U);                     // push 1; push rbp
    EXPECT_EQ(entered({0xe3, 2, 0x55}), std::nullopt);           // jrcxz +2: not done, and the push may be passed over
    EXPECT_EQ(entered({0x0f, 0x05, 0x55}), std::nullopt);        // syscall
    EXPECT_EQ(entered({}), std::nullopt);
    EXPECT_EQ(entered({0x48}), std::nullopt);
}

TEST(ProbePlace, TheFirstCalleeIsToldWithItsArguments) {
    EXPECT_EQ(first_callee(code({0x48, 0x83, 0xec, 8, 0xe8, 0x10, 0, 0, 0})), (Callee{25, true}));
    // test edx, edx; js; mov rcx, rsp; call back
    EXPECT_EQ(first_callee(code({0x85, 0xd2, 0x78, 0x2f, 0x48, 0x89, 0xe1, 0xe8, 0xf4, 0xff, 0xff, 0xff})), (Callee{0, false}));
    EXPECT_EQ(first_callee(code({0xff, 0xd0, 0xe8, 0, 0, 0, 0})), std::nullopt);  // call rax
    EXPECT_EQ(first_callee(code({0xc3, 0xe8, 0, 0, 0, 0})), std::nullopt);
}

TEST(ProbePlace, AnyBytesAreTaken) {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::byte> bytes(random() % 64);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        const auto place = cheap_place(bytes, i % 2 == 0 ? Convention::system_v : Convention::go, i % 3 == 0);
        EXPECT_LT(place.value_or(0), bytes.size() + 1);
        first_callee(bytes);
        only_call(bytes, static_cast<std::int64_t>(random() % 64));
    }
}

/// cmp rsp, [r14 + 16]; jbe to the end; `middle`; ret; call for a larger stack; jmp to the entry
std::vector<std::byte> go_function(std::initializer_list<int> middle) {
    std::vector<std::byte> bytes = code({0x49, 0x3b, 0x66, 0x10, 0x76, static_cast<int>(middle.size()) + 1});
    const std::vector<std::byte> between = code(middle);
    bytes.insert(bytes.end(), between.begin(), between.end());
    const int back = -static_cast<int>(bytes.size()) - 8;
    const std::vector<std::byte> end = code({0xc3, 0xe8, 0, 0x20, 0, 0, 0xeb, back & 0xff});
    bytes.insert(bytes.end(), end.begin(), end.end());
    return bytes;
}

TEST(OnlyCall, IsTheOneOfThatFunction) {
    EXPECT_EQ(only_call(go_function({0x90, 0xe8, 0xf4, 0x0f, 0, 0}), 0x1000), 7U);
    EXPECT_EQ(only_call(go_function({0x90, 0xe8, 0xf4, 0x0f, 0, 0}), 0x1001), std::nullopt);
}

TEST(OnlyCall, IsNotToldOfTwo) {
    EXPECT_EQ(only_call(go_function({0xe8, 0xf5, 0x0f, 0, 0, 0xe8, 0xf0, 0x0f, 0, 0}), 0x1000), std::nullopt);
    EXPECT_EQ(only_call(go_function({0xe8, 0xf5, 0x0f, 0, 0, 0xe8, 0xf1, 0x0f, 0, 0}), 0x1000), 6U);
}

TEST(OnlyCall, IsOfTheFunctionAndNotOfTheNextOne) {
    std::vector<std::byte> both = go_function({0x90});
    const auto next = static_cast<std::int64_t>(both.size());
    const std::vector<std::byte> second = code({0xe8, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0});
    both.insert(both.end(), second.begin(), second.end());
    EXPECT_EQ(only_call(both, next + 5), std::nullopt);
    std::vector<std::byte> cut = go_function({0xe8, 0xf5, 0x0f, 0, 0});
    cut.resize(cut.size() - 2);
    EXPECT_EQ(only_call(cut, 0x1000), std::nullopt);
}

}  // namespace
}  // namespace timesink::runtime
