#include "infer/tokens.hpp"

#include <bit>

namespace timesink::infer {

namespace {

std::uint64_t scramble(std::uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccd;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53;
    return value ^ (value >> 33);
}

}  // namespace

std::uint64_t Token::identity() const {
    if (state == State::free) {
        return 0;
    }
    // Which of those it is whose begin was not seen does not matter for what comes, nor what it did further back.
    if (is_unseen()) {
        const std::uint64_t steps = static_cast<std::uint64_t>(history.last) << 32 | static_cast<std::uint64_t>(history.before);
        const std::uint64_t is = static_cast<std::uint64_t>(keeps) << 8 | static_cast<std::uint64_t>(state);
        return scramble(scramble(is) + scramble(steps) + outstanding * 0x9e3779b97f4a7c15);
    }
    // Who of equal sleepers it is does not matter for what comes.
    const std::uint64_t who = state == State::sleeping && blurred ? 7 : static_cast<std::uint64_t>(chain);
    const std::uint64_t what = history.all + outstanding * 0x9e3779b97f4a7c15;
    return scramble(scramble(who * 31 + static_cast<std::uint64_t>(state)) + what);
}

Slot Tokens::add(const Token& token) {
    std::size_t slot = 0;
    while (slot < size_ && (*this)[slot].state != Token::State::free) {
        ++slot;
    }
    if (slot == size_) {
        if (size_ == pages_.size() * kPage) {
            pages_.emplace_back(new Page);
        }
        ++size_;
    }
    change(slot) = token;
    return static_cast<Slot>(slot);
}

std::uint64_t Tokens::state() const {
    std::uint64_t sum = 0;
    for (const auto& page : pages_) {
        for (; page->changed != 0; page->changed &= page->changed - 1) {
            const auto i = static_cast<std::size_t>(std::countr_zero(page->changed));
            page->sum -= page->identities[i];
            page->identities[i] = page->tokens[i].identity();
            page->sum += page->identities[i];
        }
        sum += page->sum;
    }
    return sum;
}

}  // namespace timesink::infer
