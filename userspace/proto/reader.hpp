#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace timesink::proto {

/// Takes fields off the front of a message. What is not there (cut off, or a lie) is 0 or empty; `ok()` says so.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <std::size_t size>
    std::uint64_t little() {
        std::uint64_t value = 0;
        const std::string_view bytes = take(size);
        for (std::size_t at = bytes.size(); at > 0; --at) {
            value = value << 8 | static_cast<unsigned char>(bytes[at - 1]);
        }
        return value;
    }
    template <std::size_t size>
    std::uint64_t big() {
        std::uint64_t value = 0;
        for (const char byte : take(size)) {
            value = value << 8 | static_cast<unsigned char>(byte);
        }
        return value;
    }
    std::uint8_t byte() { return static_cast<std::uint8_t>(little<1>()); }
    /// Empty when there are fewer.
    std::string_view take(std::uint64_t size) {
        if (size > rest_.size()) {
            stopped_ = ok_ ? rest_.data() : stopped_;
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(bytes.size());
        return bytes;
    }
    /// As much of them as there is.
    std::string_view take_some(std::uint64_t size) {
        ok_ = ok_ && size <= rest_.size();
        return take(std::min<std::uint64_t>(size, rest_.size()));
    }
    /// Up to a NUL, which is taken too.
    std::string_view text() {
        const std::size_t end = rest_.find('\0');
        const std::string_view text = take(end == std::string_view::npos ? rest_.size() + 1 : end);
        (void)take(end == std::string_view::npos ? 0 : 1);
        return text;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool ok() const { return ok_; }
    /// Behind the last field that was there.
    [[nodiscard]] const char* at() const { return stopped_ != nullptr ? stopped_ : rest_.data(); }

private:
    std::string_view rest_;
    const char* stopped_ = nullptr;
    bool ok_ = true;
};

/// Letters, digits, signs and what else one sees in names; not control characters.
inline bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
}

}  // namespace timesink::proto
