#include "runtime/boringssl.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <vector>

#include "unit/runtime/machine_code.hpp"

namespace timesink::runtime {
namespace {

TEST(BoringSsl, ItsOwnAccessorSaysWhereTheRandomIs) {
    // That of curl_cffi 0.17: …; mov rax, [rdi + 0x30]; add rax, 0x30; mov rdi, rsi; mov rsi, rax; …
    EXPECT_TRUE(boringssl_random_place(code({0x55, 0x48, 0x89, 0xe5, 0x53, 0x50, 0x48, 0x85, 0xd2, 0x74, 0x25, 0x48, 0x83,
                                             0xfa, 0x20, 0xbb, 0x20, 0,    0,    0,    0x48, 0x0f, 0x42, 0xda, 0x48, 0x8b,
                                             0x47, 0x30, 0x48, 0x83, 0xc0, 0x30, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xc6})) ==
                (RandomPlace{0x30, 0x30}));
    // the same with lea rsi, [rax + 0x28]
    EXPECT_TRUE(boringssl_random_place(code({0x48, 0x8b, 0x47, 0x30, 0x48, 0x8d, 0x70, 0x28})) == (RandomPlace{0x28, 0x30}));
}

TEST(BoringSsl, AnotherFormSaysNothing) {
    EXPECT_FALSE(boringssl_random_place({}));
    EXPECT_FALSE(boringssl_random_place(code({0x48, 0x8b, 0x47, 0x30, 0x48, 0x89, 0xf8, 0x48, 0x83, 0xc0, 0x30})))
        << "rax has been written to";
    EXPECT_FALSE(boringssl_random_place(code({0x48, 0x8b, 0x46, 0x30, 0x48, 0x83, 0xc0, 0x30}))) << "of another argument";
    EXPECT_FALSE(boringssl_random_place(code({0x48, 0x8b, 0x47, 0x30, 0x48, 0x83, 0xc0, 0xf0}))) << "before its begin";
}

TEST(BoringSsl, AnyBytesAreTaken) {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::byte> bytes(random() % 64);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        boringssl_random_place(bytes);
    }
}

}  // namespace
}  // namespace timesink::runtime
