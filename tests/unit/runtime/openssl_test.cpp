#include "runtime/openssl.hpp"

#include <gmock/gmock.h>

#include "unit/runtime/machine_code.hpp"

namespace timesink::runtime {
namespace {

/// The begins of the functions in Debian's 3.0, in a wheel's 3.5, and as compilers write 1.1's.
TEST(OpenSsl, SaysInItsCodeWhereTheRandomIs) {
    EXPECT_EQ(client_random_place(code({0x48, 0x89, 0xf1, 0xb8, 0x20, 0,    0, 0, 0x48, 0x85, 0xd2, 0x74, 0x5b, 0x48,
                                        0x39, 0xc2, 0x48, 0x8d, 0xb7, 0x60, 1, 0, 0,    0x48, 0x0f, 0x46, 0xc2})),
              (RandomPlace{0x160, 0}));
    EXPECT_EQ(client_random_place(code({0x48, 0x83, 0xfb, 0x20, 0x48, 0x8d, 0x8f, 0x88, 1, 0, 0, 0x48, 0x0f, 0x46, 0xc3})),
              (RandomPlace{0x188, 0}));
    EXPECT_EQ(client_random_place(code({0x48, 0x8b, 0x8f, 0xa8, 0, 0, 0, 0x48, 0x81, 0xc1, 0xb8, 0, 0, 0, 0xc3})),
              (RandomPlace{0xb8, 0xa8}));
}

TEST(OpenSsl, OtherCodeSaysNothing) {
    EXPECT_EQ(client_random_place({}), std::nullopt);
    EXPECT_EQ(client_random_place(code({0xb8, 0x20, 0, 0, 0, 0xc3})), std::nullopt);
    EXPECT_EQ(client_random_place(code({0x48, 0x8d, 0xb7, 0x60, 1, 0})), std::nullopt);     // cut off
    EXPECT_EQ(client_random_place(code({0x48, 0x8d, 0xb7, 0, 0, 0, 0x7f})), std::nullopt);  // no such structure is so big
}

}  // namespace
}  // namespace timesink::runtime
