#pragma once

#include <cstdint>
#include <string>

#include "proto/http1/body.hpp"
#include "proto/http1/fields.hpp"
#include "proto/lines.hpp"
#include "proto/parser.hpp"

namespace timesink::proto::http1 {

/// Of a request that waits for its response: what decides whether that has a body.
struct Asked {
    bool is_head = false;
    bool is_connect = false;
};

/// One direction of the connection.
///
/// | state      | bytes                                        | gap                                   |
/// |------------|----------------------------------------------|---------------------------------------|
/// | between    | empty lines skipped; else -> start_line      | -> lost                               |
/// | start_line | valid -> header; else lost or not_mine       | -> lost                               |
/// | header     | empty line -> body, or between when bodiless | Head with what is known, -> lost      |
/// | body       | its end -> between; bad framing -> lost      | within the known length: goes on; else -> lost |
/// | lost       | start line at the begin of a call -> header; last chunk at the end of a call -> between | stays |
struct Stream {
    explicit Stream(Direction way) : direction(way), fields(way) {}

    enum class State : std::uint8_t { between, start_line, header, body, lost };

    Direction direction;
    State state = State::between;
    LineReader line;
    Fields fields;
    Body body;
    Head head;  ///< of the message in progress
    std::uint64_t header_bytes = 0;
    bool open = false;               ///< its Head was given, its End was not
    bool answers = false;            ///< a response whose request is known
    bool in_call = false;            ///< the last byte seen was not the last of its system call
    bool candidate = false;          ///< lost: `line` may become a start line
    bool resumed = false;            ///< lost: the next byte follows a gap
    bool awaits_last_chunk = false;  ///< lost within one call's chunked body: its last chunk may still be seen
    bool awaits_header_end = false;  ///< lost within one call's header of a request that has no body
    std::uint64_t seen = 0;          ///< position after the last byte told of
    std::string tail;                ///< lost: the last contiguous bytes, as many as kLastChunk has
};

}  // namespace timesink::proto::http1
