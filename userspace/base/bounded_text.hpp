#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace timesink {

/// The begin and the end of a text that may be of any length: its first `head` bytes and, of what follows them, the last `tail`.
/// Memory: head + 2 * tail. Bytes that were not captured are passed over by skip(); what follows them belongs to the end.
class BoundedText {
public:
    BoundedText(std::size_t head, std::size_t tail) : most_head_(head), most_tail_(tail) {}

    void append(std::string_view text) {
        if (gapless_ && head_.size() < most_head_) {
            const std::size_t taken = std::min(text.size(), most_head_ - head_.size());
            head_.append(text.substr(0, taken));
            text.remove_prefix(taken);
        }
        if (text.empty()) {
            return;
        }
        gapless_ = false;
        if (text.size() >= most_tail_) {
            tail_ = text.substr(text.size() - most_tail_);
            return;
        }
        tail_.append(text);
        if (tail_.size() > 2 * most_tail_) {
            tail_.erase(0, tail_.size() - most_tail_);
        }
    }
    void skip() { gapless_ = false; }
    void clear() {
        head_.clear();
        tail_.clear();
        gapless_ = true;
    }

    /// Nothing is missing: all of it is in head().
    [[nodiscard]] bool whole() const { return gapless_; }
    [[nodiscard]] std::string_view head() const { return head_; }
    /// Behind the head, with or without something missing between the two.
    [[nodiscard]] std::string_view tail() const { return tail_; }

private:
    std::size_t most_head_;
    std::size_t most_tail_;
    std::string head_;
    std::string tail_;
    bool gapless_ = true;
};

}  // namespace timesink
