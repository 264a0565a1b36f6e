#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "proto/parser.hpp"

namespace timesink::proto {

inline std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Gathers one line, ended by LF or CRLF, out of pieces. Keeps its first kKept bytes; the rest is only counted, so that a hostile
/// line costs no memory.
class LineReader {
public:
    static constexpr std::size_t kKept = 8192;

    /// Takes bytes up to and including the LF; returns how many.
    std::size_t take(std::span<const std::byte> bytes) {
        const void* found = bytes.empty() ? nullptr : std::memchr(bytes.data(), '\n', bytes.size());
        const std::size_t taken =
            found != nullptr ? static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data()) + 1 : bytes.size();
        const std::string_view piece = as_text(bytes.first(found != nullptr ? taken - 1 : taken));
        length_ += taken;
        complete_ = found != nullptr;
        if (complete_ && length_ == taken) {
            whole_ =
                piece.substr(0, piece.ends_with('\r') && length_ <= kKept ? piece.size() - 1 : std::min(piece.size(), kKept));
            return taken;
        }
        if (!piece.empty()) {
            text_.append(piece.substr(0, std::min(piece.size(), kKept - text_.size())));
            ends_in_cr_ = piece.back() == '\r';
        }
        if (complete_ && ends_in_cr_ && length_ <= kKept && !text_.empty()) {
            text_.pop_back();
        }
        return taken;
    }
    [[nodiscard]] bool complete() const { return complete_; }
    [[nodiscard]] bool cut() const { return length_ > kKept + 2; }
    /// Without its end. Not yet complete: what there is of it. A line that came in one piece is not copied: valid until the next
    /// call and while the bytes given last are.
    [[nodiscard]] std::string_view text() const { return text_.empty() ? whole_ : std::string_view(text_); }
    [[nodiscard]] std::size_t length() const { return length_; }  ///< of all bytes taken, line end included
    void clear() {
        text_.clear();
        whole_ = {};
        length_ = 0;
        complete_ = false;
        ends_in_cr_ = false;
    }

private:
    std::string text_;        ///< of a line that comes in several pieces
    std::string_view whole_;  ///< of one that came in one
    std::size_t length_ = 0;
    bool complete_ = false;
    bool ends_in_cr_ = false;
};

/// Says of a line that is complete (or cut off behind its first bytes), the last of which stands ahead of `end`, that it may be
/// recorded as far as `kind` allows; its end always. Of a line that is too long, what was not kept is masked.
inline void keep_line(const LineReader& line, Direction direction, std::uint64_t end, Kept kind, Sink& sink) {
    if (!sink.redacts()) {
        return;
    }
    const std::string_view text = line.text();
    sink.keep(direction, end - line.length(), text, kind);
    if (!line.complete()) {
        return;
    }
    const bool with_cr = !line.cut() && line.length() == text.size() + 2;
    const std::string_view ending = with_cr ? "\r\n" : "\n";
    sink.keep(direction, end - ending.size(), ending, Kept::structure);
}

/// Of a text, if it is one: a decimal number without sign or space that fits a signed 64-bit integer.
inline bool parse_decimal(std::string_view text, std::uint64_t& value) {
    constexpr std::uint64_t kLimit = 0x7fff'ffff'ffff'ffff;
    if (text.empty()) {
        return false;
    }
    value = 0;
    for (const char digit : text) {
        if (digit < '0' || digit > '9') {
            return false;
        }
        const auto add = static_cast<std::uint64_t>(digit - '0');
        if (value > (kLimit - add) / 10) {
            return false;
        }
        value = value * 10 + add;
    }
    return true;
}

}  // namespace timesink::proto
