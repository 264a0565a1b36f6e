#include "redact/digest.hpp"

#include <bit>
#include <random>

namespace timesink::redact {

Secret make_secret() {
    std::random_device source;
    const auto word = [&source] { return std::uint64_t{source()} << 32 | source(); };
    return {word(), word()};
}

KeyedDigest::KeyedDigest(const Secret& secret)
    : state_{secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d, secret[0] ^ 0x6c7967656e657261,
             secret[1] ^ 0x7465646279746573} {}

void KeyedDigest::rounds(std::array<std::uint64_t, 4>& v, int count) {
    for (int round = 0; round < count; ++round) {
        v[0] += v[1];
        v[1] = std::rotl(v[1], 13) ^ v[0];
        v[0] = std::rotl(v[0], 32);
        v[2] += v[3];
        v[3] = std::rotl(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = std::rotl(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = std::rotl(v[1], 17) ^ v[2];
        v[2] = std::rotl(v[2], 32);
    }
}

void KeyedDigest::add(char c) {
    word_ |= std::uint64_t{static_cast<unsigned char>(c)} << (bytes_ % 8 * 8);
    if (++bytes_ % 8 == 0) {
        state_[3] ^= word_;
        rounds(state_, 2);
        state_[0] ^= word_;
        word_ = 0;
    }
}

std::uint64_t KeyedDigest::value() const {
    std::array<std::uint64_t, 4> v = state_;
    const std::uint64_t last = word_ | bytes_ << 56;
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

}  // namespace timesink::redact
