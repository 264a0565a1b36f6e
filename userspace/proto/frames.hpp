#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/parser.hpp"

namespace timesink::proto {

/// One frame of a protocol that says each frame's length in a header of fixed size.
struct Frame {
    Direction direction = Direction::request;
    std::uint64_t begin = 0;   ///< position of its first byte
    std::uint64_t end = 0;     ///< position after its last one, as its header says
    std::string_view header;   ///< whole
    std::string_view payload;  ///< its first bytes, as many as were asked for and captured
    bool cut = false;          ///< `payload` was to have more, but a gap came first
    [[nodiscard]] std::uint64_t payload_bytes() const { return end - begin - header.size(); }
    [[nodiscard]] bool whole() const { return payload.size() == payload_bytes(); }
};

/// What a parser says of its frames, and is told of them.
class FrameSink {
public:
    struct Shape {
        std::uint64_t payload = 0;  ///< bytes behind the header
        std::size_t kept = 0;       ///< how many of them the parser wants to see
    };
    /// Where the bytes given to `resumes` stand.
    struct Place {
        bool begins_call = false;  ///< nothing of their system call precedes them
        bool ends_call = false;    ///< the last of them is the last of its system call
    };
    virtual ~FrameSink() = default;
    /// None: this cannot be the header of a frame here.
    virtual std::optional<Shape> shape(Direction direction, std::string_view header) = 0;
    /// The stream was lost: does a frame begin at the first of these bytes? Asked at every place where a header's length is to be
    /// had, so be strict: what chance makes must not do.
    virtual bool resumes(Direction direction, std::string_view bytes, Place place) = 0;
    /// Header and what was to be kept are there. Views live until the call returns.
    virtual void opened(const Frame& frame, Sink& sink) = 0;
    /// A piece of a frame behind what was kept; `missing`: not captured, and how many bytes. Most do not care.
    virtual void rest(Direction direction, std::string_view piece, std::uint64_t position, std::uint64_t missing, Sink& sink) {
        (void)direction, (void)piece, (void)position, (void)missing, (void)sink;
    }
    /// Its last byte was there (captured or not); follows its opened().
    virtual void closed(Direction direction, std::uint64_t end, Sink& sink) = 0;
    /// Where frames begin is not known any more. A frame that was open will not be closed.
    virtual void lost(Direction direction, std::uint64_t position, Sink& sink) = 0;
};

/// Says of a part of a frame's payload that it may be recorded. `part` lies in frame.payload.
inline void keep(const Frame& frame, std::string_view part, Kept kind, Sink& sink) {
    if (!part.empty()) {
        const auto offset = static_cast<std::uint64_t>(part.data() - frame.payload.data());
        sink.keep(frame.direction, frame.begin + frame.header.size() + offset, part, kind);
    }
}

/// Cuts one direction of a connection into frames. Owned by a parser. Keeps no more than header and asked-for begin of one frame.
///
/// | state  | bytes                                            | gap                                             |
/// |--------|--------------------------------------------------|-------------------------------------------------|
/// | header | complete and accepted -> prefix; refused -> lost | -> lost                                         |
/// | prefix | all that is kept is there: opened, -> rest       | opened as cut, -> rest, which the gap goes on in |
/// | rest   | its end: closed, -> header                       | its end at the gap's or later: as bytes; beyond -> lost |
/// | lost   | a place that resumes -> header                   | stays                                           |
class Frames {
public:
    Frames(Direction direction, std::size_t header_bytes) : direction_(direction), header_bytes_(header_bytes) {}

    void take(const Chunk& chunk, FrameSink& owner, Sink& sink) {
        take(chunk.bytes, chunk.position, chunk.ends_call, owner, sink);
    }
    /// Of a part of a chunk.
    void take(std::span<const std::byte> bytes, std::uint64_t position, bool ends_call, FrameSink& owner, Sink& sink);
    void gap(std::uint64_t begin, std::uint64_t end, FrameSink& owner, Sink& sink);
    /// The parser found out on its own: a length was a lie.
    void lose(std::uint64_t position, FrameSink& owner, Sink& sink);
    /// The parser knows that a frame begins at the next byte.
    void found() {
        state_ = State::header;
        held_.clear();
    }

    /// A frame of `bytes`, header and payload, begins where the last one ended: the parser knows, though its header was not
    /// captured. It is closed like others, but not opened. `begin`: of the gap that its header lies in.
    void pass_over(std::uint64_t begin, std::uint64_t bytes) {
        begin_ = held_.empty() ? begin : begin_;
        remaining_ = bytes - held_.size();
        held_.clear();
        state_ = State::rest;
    }

    /// The next byte, or one of which too few are held, begins a frame.
    [[nodiscard]] bool between() const { return state_ == State::header; }
    /// Bytes of the next frame's header that are held.
    [[nodiscard]] std::size_t held() const { return state_ == State::header ? held_.size() : 0; }
    /// Bytes to the end of the frame in progress, once it is opened.
    [[nodiscard]] std::uint64_t to_end() const { return state_ == State::rest ? remaining_ : 0; }
    [[nodiscard]] bool is_lost() const { return state_ == State::lost; }
    /// Position after the last byte told of.
    [[nodiscard]] std::uint64_t seen() const { return seen_; }

private:
    enum class State : std::uint8_t { header, prefix, rest, lost };
    std::size_t step(std::string_view text, std::uint64_t position, FrameSink& owner, Sink& sink);
    void open(std::string_view header_and_payload, bool cut, FrameSink& owner, Sink& sink);

    Direction direction_;
    std::size_t header_bytes_;
    State state_ = State::header;
    FrameSink::Shape shape_;
    std::uint64_t begin_ = 0;      ///< of the frame in progress
    std::uint64_t remaining_ = 0;  ///< rest: bytes to its end
    std::string held_;             ///< header, prefix: what there is; lost: the last bytes, fewer than a header
    std::uint64_t seen_ = 0;
    bool in_call_ = false;
    bool held_begins_call_ = false;
};

}  // namespace timesink::proto
