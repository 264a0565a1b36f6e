#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "proto/lines.hpp"
#include "proto/parser.hpp"

namespace timesink::proto::memcached {

/// A part of a line that may be recorded.
struct Part {
    std::string_view text;
    Kept kind;
};
/// Of a command: its name, the form of its keys, numbers. Of meta commands the letters of their flags.
std::vector<Part> request_parts(std::string_view line);
/// Of an answer: its first word, and behind VALUE and VA the form of the key and the numbers.
std::vector<Part> answer_parts(std::string_view line);

/// Tells of them, of spaces between them, and of the line's end, which stands ahead of `end`.
void keep_line(const LineReader& line, Direction direction, std::uint64_t end, const std::vector<Part>& parts, Sink& sink);

}  // namespace timesink::proto::memcached
