#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace timesink::redact {

/// A secret of one run, kept nowhere: what is masked with it can be compared within a recording, and not guessed from it.
using Secret = std::array<std::uint64_t, 2>;
Secret make_secret();

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of a text that comes in pieces. Not a hash without key: masked texts are often few
/// and could be tried.
class KeyedDigest {
public:
    explicit KeyedDigest(const Secret& secret);
    void add(char c);
    [[nodiscard]] std::uint64_t value() const;

private:
    static void rounds(std::array<std::uint64_t, 4>& v, int count);

    std::array<std::uint64_t, 4> state_;
    std::uint64_t word_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace timesink::redact
