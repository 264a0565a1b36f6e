#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "proto/lines.hpp"

namespace timesink::proto::http1 {

/// Follows the body of one message to its end without keeping any of it.
///
/// chunked (RFC 9112 section 7.1):
///   size -> data (size > 0) -> data_end -> size …
///   size -> trailer (size = 0) -> done at an empty line
class Body {
public:
    enum class Kind : std::uint8_t { none, length, chunked, until_close };

    void begin(Kind kind, std::uint64_t length);
    /// Takes what belongs to the body, as far as it is all content, or one line of framing.
    struct Taken {
        std::size_t bytes = 0;
        bool is_content = false;
    };
    Taken take(std::span<const std::byte> bytes);
    /// `bytes` of the stream were not captured. Returns how many of them belong to the body for sure; fewer than `bytes`, and not
    /// done: its framing was among them.
    std::uint64_t skip(std::uint64_t bytes);

    [[nodiscard]] bool done() const { return state_ == State::done; }
    [[nodiscard]] bool malformed() const { return malformed_; }
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool in_data() const { return state_ == State::data; }
    /// Outside of data: what take() will take of these bytes, as it may be recorded. Sizes stay; extensions and trailers do not.
    [[nodiscard]] std::string masked_framing(std::span<const std::byte> bytes) const;
    [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }
    /// What cannot be followed any more counts as content: its framing is small beside it.
    void add_unframed(std::uint64_t bytes) { content_bytes_ += bytes; }

private:
    enum class State : std::uint8_t { done, data, size, data_end, trailer };
    void chunk_size();

    Kind kind_ = Kind::none;
    State state_ = State::done;
    bool malformed_ = false;
    std::uint64_t remaining_ = 0;  ///< of the body, or of the chunk
    std::uint64_t content_bytes_ = 0;
    std::uint64_t framing_bytes_ = 0;  ///< of the trailer so far
    LineReader line_;
};

}  // namespace timesink::proto::http1
