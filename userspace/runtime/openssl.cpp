#include "runtime/openssl.hpp"

#include <algorithm>

namespace timesink::runtime {

namespace {

constexpr std::size_t kCodeLooked = 512;
/// An SSL begins with a dozen pointers; what it has by itself is within its first pages.
constexpr std::uint32_t kLeastPlace = 0x40;
constexpr std::uint32_t kMostPlace = 0xfff;

constexpr int kMove = 0x8b;  // mov r64, [base + disp32]
constexpr int kLoadAddress = 0x8d;
constexpr int kArithmetic = 0x81;       // add r64, imm32 with /0
constexpr unsigned kFirstArgument = 7;  // rdi

struct Access {
    int operation = 0;
    unsigned base = 0;
    std::uint32_t displacement = 0;
};

/// One with a 64-bit operand and a 32-bit displacement or immediate at `at`; empty: something else.
std::optional<Access> access_at(std::span<const std::byte> code, std::size_t at) {
    constexpr std::size_t kLength = 7;
    if (at + kLength > code.size()) {
        return std::nullopt;
    }
    const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(code[at + i]); };
    const unsigned prefix = byte(0);
    const unsigned mode = byte(2);
    if ((prefix & 0xf8) != 0x48) {
        return std::nullopt;
    }
    Access found{.operation = static_cast<int>(byte(1)), .base = (mode & 7) | (prefix & 1) << 3, .displacement = 0};
    found.displacement = byte(3) | byte(4) << 8 | byte(5) << 16 | byte(6) << 24;
    const bool has_base = mode >> 6 == 2 && (mode & 7) != 4;
    const bool loads = (found.operation == kMove || found.operation == kLoadAddress) && has_base;
    const bool adds = found.operation == kArithmetic && mode >> 3 == 0x18;
    const bool likely = found.displacement >= kLeastPlace && found.displacement <= kMostPlace;
    return (loads || adds) && likely ? std::optional(found) : std::nullopt;
}

}  // namespace

std::optional<RandomPlace> client_random_place(std::span<const std::byte> code) {
    code = code.first(std::min(code.size(), kCodeLooked));
    std::uint16_t through = 0;
    for (std::size_t at = 0; at < code.size(); ++at) {
        const auto found = access_at(code, at);
        if (!found) {
            continue;
        }
        const auto displacement = static_cast<std::uint16_t>(found->displacement);
        if (found->operation == kMove && found->base == kFirstArgument && through == 0) {
            through = displacement;
        } else if (found->operation != kMove) {
            const bool direct = found->base == kFirstArgument;
            return direct ? RandomPlace{displacement, 0} : RandomPlace{displacement, through};
        }
    }
    return std::nullopt;
}

}  // namespace timesink::runtime
