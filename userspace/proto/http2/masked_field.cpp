#include "proto/http2/masked_field.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <optional>

#include "base/ascii.hpp"

namespace timesink::proto::http2 {
namespace {

constexpr char kMask = 'x';
constexpr std::size_t kSymbols = 257;  // 256: the end of a string, of which padding is the begin

/// Bits of each symbol's code (RFC 7541 appendix B). The code is canonical: lengths tell the codes.
constexpr std::array<std::uint8_t, kSymbols> kBits = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};

using Codes = std::array<std::uint32_t, kSymbols>;

const Codes& codes() {
    static const Codes kCodes = [] {
        std::array<std::uint16_t, kSymbols> order{};
        std::iota(order.begin(), order.end(), std::uint16_t{0});
        std::stable_sort(order.begin(), order.end(), [](auto a, auto b) { return kBits[a] < kBits[b]; });
        Codes made{};
        std::uint32_t code = 0;
        unsigned bits = 0;
        for (const std::uint16_t symbol : order) {
            code <<= kBits[symbol] - bits;
            bits = kBits[symbol];
            made[symbol] = code++;
        }
        return made;
    }();
    return kCodes;
}

unsigned bits_of(char c) {
    return kBits[static_cast<unsigned char>(c)];
}

class Bits {
public:
    void add(std::size_t symbol) { add(codes()[symbol], kBits[symbol]); }
    void add(std::uint32_t code, unsigned bits) {
        while (bits > 0) {
            if (free_ == 0) {
                bytes_.push_back('\0');
                free_ = 8;
            }
            const unsigned taken = std::min(bits, free_);
            const std::uint32_t piece = code >> (bits - taken) & ((1U << taken) - 1);
            bytes_.back() = static_cast<char>(static_cast<unsigned char>(bytes_.back()) | piece << (free_ - taken));
            bits -= taken;
            free_ -= taken;
        }
    }
    std::string finish() {
        add((1U << free_) - 1, free_);
        return std::move(bytes_);
    }

private:
    std::string bytes_;
    unsigned free_ = 0;
};

/// As many characters in the place of `before` that take as many bits, however those are spread over them: a mask that had the
/// length of each would tell of what it hides. `digit`: they are to be digits.
std::optional<std::string> spread(std::string_view before, bool digit) {
    constexpr std::string_view kDigits = "03";     // of 5 and 6 bits
    constexpr std::string_view kLetters = "abjX";  // of 5 to 8
    const std::string_view letters = digit ? kDigits : kLetters;
    std::size_t more = 0;
    for (const char c : before) {
        more += bits_of(c) - 5;
    }
    const std::size_t each = more / before.size();
    const std::size_t longer = more % before.size();
    if (each + (longer > 0 ? 1 : 0) >= letters.size()) {
        return std::nullopt;
    }
    std::string out(before.size(), letters[each]);
    std::fill_n(out.begin(), longer, letters[std::min(each + 1, letters.size() - 1)]);
    return out;
}

/// Both digits, or both letters.
bool are_alike(char a, char b) {
    return a == b || (is_letter(a) && is_letter(b)) || (is_digit(a) && is_digit(b));
}

/// Runs of letters or digits that a mask has changed are spread anew. None: not possible.
std::optional<std::string> of_same_bits(std::string_view value, std::string_view masked) {
    std::string out(masked);
    for (std::size_t begin = 0; begin < masked.size();) {
        std::size_t end = begin;
        bool differs = false;
        while (end < masked.size() && are_alike(masked[end], masked[begin])) {
            differs = differs || masked[end] != value[end];
            ++end;
        }
        if (differs) {
            const std::string_view before = value.substr(begin, end - begin);
            auto run = spread(before, masked[begin] >= '0' && masked[begin] <= '9');
            run = run ? run : spread(before, false);
            if (!run) {
                return std::nullopt;
            }
            out.replace(begin, end - begin, *run);
        }
        begin = end;
    }
    Bits bits;
    for (const char c : out) {
        bits.add(static_cast<unsigned char>(c));
    }
    return bits.finish();
}

/// The fewest characters that so many bytes can stand for: whatever the value was, its entry was no smaller.
std::string fewest(std::size_t bytes) {
    constexpr std::size_t kLongest = 10;  // of 30 bits
    Bits bits;
    std::size_t left = bytes * 8;
    for (; left >= kBits[kLongest]; left -= kBits[kLongest]) {
        bits.add(kLongest);
    }
    for (std::size_t length = left; length >= 8 && left >= 8; --length) {
        const auto* const symbol = std::find(kBits.begin(), kBits.end() - 1, length);
        if (symbol != kBits.end() - 1) {
            bits.add(static_cast<std::size_t>(symbol - kBits.begin()));
            left -= length;
        }
    }
    bits.add((1U << left) - 1, static_cast<unsigned>(left));
    return bits.finish();
}

/// An integer whose first byte has `prefix` bits for it (section 5.1). None: it is cut off or too large to be one.
std::optional<std::uint64_t> take_integer(std::string_view raw, std::size_t& at, unsigned prefix) {
    if (at >= raw.size()) {
        return std::nullopt;
    }
    const std::uint64_t most = (1U << prefix) - 1;
    std::uint64_t value = static_cast<unsigned char>(raw[at++]) & most;
    for (unsigned shift = 0; value >= most && shift < 35; shift += 7) {
        if (at >= raw.size()) {
            return std::nullopt;
        }
        const std::uint64_t byte = static_cast<unsigned char>(raw[at++]);
        value += (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    return value < most ? std::optional(value) : std::nullopt;
}

struct Text {
    std::size_t begin = 0;
    std::size_t size = 0;
    bool coded = false;  ///< by Huffman's code
};
std::optional<Text> take_text(std::string_view raw, std::size_t& at) {
    const bool coded = at < raw.size() && (static_cast<unsigned char>(raw[at]) & 0x80) != 0;
    const auto size = take_integer(raw, at, 7);
    if (!size || *size > raw.size() - at) {
        return std::nullopt;
    }
    const Text text{at, static_cast<std::size_t>(*size), coded};
    at += text.size;
    return text;
}

/// Where the value stands; size 0: the field is indexed.
std::optional<Text> find_value(std::string_view raw) {
    std::size_t at = 0;
    while (at < raw.size()) {
        const auto first = static_cast<unsigned char>(raw[at]);
        if ((first & 0x80) != 0) {
            return Text{};
        }
        if ((first & 0xe0) == 0x20) {  // a size update
            if (!take_integer(raw, at, 5)) {
                return std::nullopt;
            }
            continue;
        }
        const auto name = take_integer(raw, at, (first & 0x40) != 0 ? 6 : 4);
        if (!name || (*name == 0 && !take_text(raw, at))) {
            return std::nullopt;
        }
        return take_text(raw, at);
    }
    return Text{};
}

}  // namespace

std::string masked_field(std::string_view raw, std::string_view value, std::string_view masked) {
    std::string out(raw);
    const auto text = find_value(raw);
    if (!text || masked.size() != value.size()) {
        return std::string(raw.size(), kMask);
    }
    if (text->size == 0 || masked == value) {
        return out;
    }
    std::string bytes(masked);
    if (text->coded) {
        const auto same = of_same_bits(value, masked);
        bytes = same && same->size() == text->size ? *same : fewest(text->size);
    }
    if (bytes.size() != text->size) {
        return std::string(raw.size(), kMask);
    }
    return out.replace(text->begin, text->size, bytes);
}

}  // namespace timesink::proto::http2
