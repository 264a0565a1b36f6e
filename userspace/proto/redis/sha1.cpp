#include "proto/redis/sha1.hpp"

#include <bit>

namespace timesink::proto::redis {

void Sha1::add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
        buffer_[length_ % buffer_.size()] = static_cast<std::uint8_t>(byte);
        if (++length_ % buffer_.size() == 0) {
            block();
        }
    }
}

void Sha1::block() {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i) {
        for (std::size_t byte = 0; byte < 4; ++byte) {
            w[i] = w[i] << 8 | buffer_[4 * i + byte];
        }
    }
    for (std::size_t i = 16; i < w.size(); ++i) {
        w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    auto [a, b, c, d, e] = state_;
    for (std::size_t i = 0; i < w.size(); ++i) {
        std::uint32_t f = b ^ c ^ d;
        std::uint32_t k = i < 40 ? 0x6ed9eba1 : 0xca62c1d6;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i >= 40 && i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        }
        const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    }
    state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
}

std::string Sha1::hex() {
    const std::uint64_t bits = length_ * 8;
    constexpr std::byte kOne{0x80};
    constexpr std::byte kZero{0};
    add(std::span(&kOne, 1));
    while (length_ % buffer_.size() != 56) {
        add(std::span(&kZero, 1));
    }
    for (int shift = 56; shift >= 0; shift -= 8) {
        const auto byte = static_cast<std::byte>(bits >> shift);
        add(std::span(&byte, 1));
    }
    std::string text;
    for (const std::uint32_t word : state_) {
        for (int shift = 28; shift >= 0; shift -= 4) {
            text.push_back("0123456789abcdef"[word >> shift & 15]);
        }
    }
    return text;
}

}  // namespace timesink::proto::redis
