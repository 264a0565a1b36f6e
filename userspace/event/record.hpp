#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "event/event.hpp"

/// From bytes to events, one record at a time: what include/timesink/abi/events.h promises is checked here, and only here, so
/// that everything behind may rely on it.
namespace timesink::event {

/// Records are aligned like this in whatever buffer check(), order_key() and hand_on() are given.
inline constexpr std::size_t kRecordAlignment = 8;

/// The head at the begin of `bytes`, which need not be aligned; empty when there is no whole record there: too few bytes, or a
/// size that is not a multiple of 8, smaller than a head or larger than what is left.
std::optional<ts_event_head> read_head(Bytes bytes);

enum class Validity : std::uint8_t {
    valid,
    unknown_kind,  ///< of a newer minor version: skip it
    malformed,     ///< sizes or values that the ABI rules out: skip it, and say so
};

/// `record`: one whole record (read_head gave its size), aligned. Facts: only their size is checked; their text is, in hand_on.
/// Checked are sizes, enumerations, the order of times within the record, and that no position or time overflows.
Validity check(Bytes record);

/// Where a checked record stands in the order of the run; see Consumer. A write or connect that took longer than `lateness`
/// stands at its exit: at its entry, the events behind it may have been handed on already.
Instant order_key(Bytes record, Duration lateness);

/// Gives a checked record to the consumer; watermarks, unknown kinds and facts are not given (a fact takes read_fact first).
void hand_on(Bytes record, Consumer& consumer);

/// The text of a checked fact. Null when it is not JSON, not an object, or has no name.
nlohmann::json read_fact(Bytes record);
/// The member "fact" of what read_fact gave. Precondition: not null.
std::string_view fact_name(const nlohmann::json& body);

}  // namespace timesink::event
