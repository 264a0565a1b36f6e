#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "proto/event_stream.hpp"

namespace timesink::request {

/// Of an answer that comes as a stream of events, by the bytes that were seen. Times are when an event's last byte was in the
/// kernel (read) or given to it (written).
struct StreamFigures {
    proto::EventStream::Kind kind = proto::EventStream::Kind::server_sent;
    std::uint64_t events = 0;
    Instant first{};         ///< zero: not known (no event, or compressed)
    Instant last{};          ///< ditto
    Duration longest_gap{};  ///< between an event and the next
    bool exact = true;       ///< false: bytes were not seen; there may be more events
    std::string unread{};    ///< why events could not be looked at: "compressed"; empty: they could

    /// An event, at its time; zero: not known.
    void count(Instant at, bool cut);
};

}  // namespace timesink::request
