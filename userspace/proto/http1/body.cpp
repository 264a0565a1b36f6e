#include "proto/http1/body.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace timesink::proto::http1 {
namespace {

constexpr std::size_t kLongestChunkLine = 4096;  // the size with its extensions; longer ones are an attack
constexpr std::uint64_t kLongestTrailer = std::uint64_t{256} * 1024;

}  // namespace

void Body::begin(Kind kind, std::uint64_t length) {
    kind_ = kind;
    malformed_ = false;
    remaining_ = kind == Kind::length ? length : 0;
    content_bytes_ = 0;
    framing_bytes_ = 0;
    line_.clear();
    const bool empty = kind == Kind::none || (kind == Kind::length && length == 0);
    state_ = kind == Kind::chunked ? State::size : empty ? State::done : State::data;
}

Body::Taken Body::take(std::span<const std::byte> bytes) {
    if (state_ == State::data) {
        return {static_cast<std::size_t>(skip(bytes.size())), true};
    }
    const std::size_t taken = line_.take(bytes);
    const bool too_long = line_.length() > kLongestChunkLine && state_ != State::trailer;
    const bool not_empty = line_.complete() ? !line_.text().empty() : line_.text() != "\r";
    if (too_long || (state_ == State::data_end && not_empty)) {
        malformed_ = true;
    } else if (line_.complete() && state_ == State::size) {
        chunk_size();
        line_.clear();
    } else if (line_.complete() && state_ == State::data_end) {
        state_ = State::size;
        line_.clear();
    } else if (line_.complete() && state_ == State::trailer) {
        framing_bytes_ += line_.length();
        state_ = line_.text().empty() ? State::done : State::trailer;
        malformed_ = framing_bytes_ > kLongestTrailer;
        line_.clear();
    }
    return {taken, false};
}

std::string Body::masked_framing(std::span<const std::byte> bytes) const {
    constexpr char kMask = 'x';
    const auto ends_size = [](char c) { return hex_digit(c) < 0 && c != ' ' && c != '\t' && c != '\r'; };
    const std::string_view text = as_text(bytes);
    const std::string_view before = line_.text();
    std::string masked(text.substr(0, text.find('\n')));
    bool hidden = state_ == State::trailer || std::any_of(before.begin(), before.end(), ends_size);
    for (char& c : masked) {
        const bool extension = !hidden && c == ';';
        hidden = hidden || ends_size(c);
        c = hidden && !extension && c != '\r' ? kMask : c;
    }
    if (masked.size() < text.size()) {
        masked.push_back('\n');
    }
    return masked;
}

std::uint64_t Body::skip(std::uint64_t bytes) {
    if (state_ != State::data) {
        return 0;
    }
    if (kind_ == Kind::until_close) {
        content_bytes_ += bytes;
        return bytes;
    }
    const std::uint64_t skipped = std::min(bytes, remaining_);
    remaining_ -= skipped;
    content_bytes_ += skipped;
    if (remaining_ == 0) {
        state_ = kind_ == Kind::length ? State::done : State::data_end;
    }
    return skipped;
}

void Body::chunk_size() {
    const std::string_view text = line_.text();
    std::uint64_t size = 0;
    std::size_t digits = 0;
    while (digits < text.size() && hex_digit(text[digits]) >= 0) {
        if (size >> 59 != 0) {  // would not fit a signed 64-bit integer
            malformed_ = true;
            return;
        }
        size = size * 16 + static_cast<std::uint64_t>(hex_digit(text[digits]));
        ++digits;
    }
    const std::size_t after = text.find_first_not_of(" \t", digits);
    if (digits == 0 || (after != std::string_view::npos && text[after] != ';')) {
        malformed_ = true;
        return;
    }
    remaining_ = size;
    state_ = size == 0 ? State::trailer : State::data;
}

}  // namespace timesink::proto::http1
