#pragma once

#include <set>

#include "attribute/contexts.hpp"
#include "attribute/live_unit.hpp"

/// Whose work a goroutine does: part of ContextOwners. A goroutine of a server reads one request, answers it, reads the next: it
/// belongs to each unit only for as long as that is in flight, and what it makes in that time belongs to the unit as well, by
/// when it was made. Goroutines that do not keep to this (event loops, workers of pools) own nothing.
namespace timesink::attribute::goroutines {

/// What goroutines run that outlive the unit in whose time they were made, again and again: workers of pools that grow on demand,
/// writers of connections. Whose work such a goroutine does is not told by who made it.
using Outliving = std::set<std::uint32_t>;
inline constexpr std::uint32_t kOutlivedMost = 8;  ///< more, and it is no mere leftover

/// A unit was read there; and it has ended.
void reads(const ContextRef& reader, const request::Unit& unit);
void has_read(const ContextRef& reader, UnitId unit);

/// The goroutine that read and answered the unit, and served no other at that time; null: none that is known. net/http reads
/// ahead by a child of the connection's goroutine, which gets the first byte of the next request at times.
ContextRef server_of(const ContextRef& answered_in, const ContextRef& reader);
void served(Context& server, const LiveUnit& live);

/// Sent by the server itself or by a descendant, on behalf of the unit.
bool works_for(const ContextRef& sent_in, Instant sent, const Context& server, const LiveUnit& live, const Outliving& outliving);

/// It was made in the time of a unit that has been answered, or is its server after that: work that was left behind. Notes those
/// that do so again and again.
bool left_behind(const ContextRef& sent_in, Instant sent, Outliving& outliving);

}  // namespace timesink::attribute::goroutines
