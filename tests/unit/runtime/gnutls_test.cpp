#include "runtime/gnutls.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "unit/runtime/machine_code.hpp"

namespace timesink::runtime {
namespace {

TEST(Gnutls, ItsOwnAccessorSaysWhereTheRandomIs) {
    // Debian's, 3.7: test rsi, rsi; je; lea rax, [rdi + 0x50]; mov dword [rsi + 8], 32; mov [rsi], rax
    EXPECT_EQ(gnutls_random_place(code(
                  {0x48, 0x85, 0xf6, 0x74, 0x0e, 0x48, 0x8d, 0x47, 0x50, 0xc7, 0x46, 8, 0x20, 0, 0, 0, 0x48, 0x89, 0x06, 0x48})),
              0x50);
    // the same with a longer displacement
    EXPECT_EQ(gnutls_random_place(code({0x48, 0x8d, 0x87, 0x34, 0x12, 0, 0, 0x48, 0x89, 0x06})), 0x1234);
}

TEST(Gnutls, AnotherFormSaysNothing) {
    EXPECT_EQ(gnutls_random_place(code({0x48, 0x8d, 0x47, 0x50, 0x48, 0x89, 0x02})), std::nullopt);        // to the server's
    EXPECT_EQ(gnutls_random_place(code({0x48, 0x8d, 0x47, 0x50, 0x48, 0x89, 0x0e, 0x90})), std::nullopt);  // another register
    EXPECT_EQ(gnutls_random_place(code({0x48, 0x8d, 0x46, 0x50, 0x48, 0x89, 0x06})), std::nullopt);        // of another object
    EXPECT_EQ(gnutls_random_place({}), std::nullopt);
}

TEST(Gnutls, AnyBytesAreTaken) {
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::byte> bytes(random() % 64);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        gnutls_random_place(bytes);
    }
}

}  // namespace
}  // namespace timesink::runtime
