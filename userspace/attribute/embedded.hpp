#pragma once

#include <vector>

#include "attribute/thread_timeline.hpp"
#include "attribute/trail.hpp"

/// What an engine in the process (SQLite) executed, as the walks charge it: a synchronous call without a connection.
namespace timesink::attribute {

/// When the engine had the thread, in order of time: the first step, and, as one piece at the end, all steps behind it together.
/// Where between the rows the program and the engine took turns is not known, only how long each had.
std::vector<Interval> engine_intervals(const request::Exchange& exchange);

/// Fills in what its thread's record says of exchange.engine. To be called when the execution is over.
void measure(request::Exchange& exchange, const Timelines& timelines);

/// Charges [from, at) to the exchange: executing, and blocked on the file, to the engine; blocked by a lock that others hold to
/// the queue; runnable to the run queue.
void charge_engine(Trail& trail, Instant from, ExchangeId exchange);

}  // namespace timesink::attribute
