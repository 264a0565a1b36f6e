#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string_view>

#include "proto/parser.hpp"

/// Drives a parser with a conversation read from fuzz input, and holds it to what parser.hpp promises.
///
/// input = { order }; order = one byte, then what it says:
///   bits 0-1: 0, 1 bytes (0: and the call ends); 2 a gap; 3 the stream ends
///   bit 2: the direction
///   bits 3-7: n. Bytes: the next n * 8 + 1 of the input. Gap: 2^n bytes.
namespace timesink::proto::fuzz {

class Judge final : public Sink {
public:
    void head(const Head& head) override {
        // Beyond this somebody keeps what should be skipped.
        require(head.target.size() <= kMaximumHeld && head.attributes.size() <= 64);
        Seen& seen = of(head.direction, head.correlation);
        require(head.correlation == Correlation{0} || (!seen.head && !seen.end));
        seen.head = true;
    }
    void end(const End& end) override {
        Seen& seen = of(end.direction, end.correlation);
        const bool given_up = end.direction == Direction::response && end.error == "lost" && !end.complete;
        require(end.correlation == Correlation{0} || (!seen.end && (seen.head || given_up)));
        seen.end = true;
    }
    void content(const Content& content) override {
        const Seen& seen = of(content.direction, content.correlation);
        require(content.correlation == Correlation{0} || (seen.head && !seen.end));
    }
    void upgraded(std::string_view protocol) override { require(!protocol.empty()); }
    void lost_sync(Direction, std::uint64_t) override {}
    static void require(bool holds) {
        if (!holds) {
            std::abort();
        }
    }

private:
    struct Seen {
        bool head = false;
        bool end = false;
    };
    Seen& of(Direction direction, Correlation correlation) { return seen_[{direction, correlation}]; }
    std::map<std::pair<Direction, Correlation>, Seen> seen_;
};

inline void converse(Parser& parser, std::span<const std::byte> input) {
    Judge judge;
    std::uint64_t position[2] = {};
    bool finished[2] = {};
    while (!input.empty()) {
        const auto order = static_cast<unsigned>(input.front());
        input = input.subspan(1);
        const auto direction = static_cast<Direction>(order >> 2 & 1);
        std::uint64_t& at = position[order >> 2 & 1];
        bool& over = finished[order >> 2 & 1];
        if (over) {
            continue;
        }
        const unsigned n = order >> 3;
        switch (order & 3) {
            case 2:
                parser.gap(direction, at, at + (std::uint64_t{1} << n), judge);
                at += std::uint64_t{1} << n;
                break;
            case 3:
                parser.finish(direction, at, judge);
                over = true;
                break;
            default: {
                const auto bytes = input.first(std::min<std::size_t>(input.size(), n * 8 + 1));
                input = input.subspan(bytes.size());
                const Parsed parsed = parser.parse({direction, at, bytes, (order & 3) == 0}, judge);
                Judge::require(parsed.consumed <= bytes.size() && parsed.verdict != Verdict::more);
                at += bytes.size();
                if (parsed.verdict == Verdict::not_mine) {
                    return;
                }
            }
        }
    }
}

}  // namespace timesink::proto::fuzz
