#include "attribute/embedded.hpp"

#include <algorithm>

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// SQLite sleeps between its attempts to get the lock of a file that another connection holds (sqlite3_busy_timeout), and waits
/// for the mutex of a connection that another thread uses.
bool waits_for_others(const OffCpuSpan& span) {
    const WaitKind kind = wait_kind(span.syscall);
    return span.blocked() && !span.iowait && (kind == WaitKind::sleep || kind == WaitKind::futex || kind == WaitKind::lock);
}

Duration overlap(const Interval& interval, Instant begin, Instant end) {
    return std::max(Duration{}, std::min(end, interval.end) - std::max(begin, interval.begin));
}

}  // namespace

std::vector<Interval> engine_intervals(const request::Exchange& exchange) {
    std::vector<Interval> intervals{{exchange.sent, exchange.arrived}};
    const Duration rest = exchange.engine->inside - exchange.engine->first_step;
    if (rest > Duration{}) {
        intervals.push_back({exchange.read_end - rest, exchange.read_end});
    }
    return intervals;
}

void measure(request::Exchange& exchange, const Timelines& timelines) {
    const ThreadTimeline* const timeline = timelines.find(exchange.sent_by);
    if (timeline == nullptr || !exchange.complete) {
        return;
    }
    for (const Interval& interval : engine_intervals(exchange)) {
        for (const OffCpuSpan* span = timeline->latest_off(interval.end); span != nullptr && span->on > interval.begin;
             span = timeline->off_before(*span)) {
            const Duration blocked = overlap(interval, span->off, span->woken);
            exchange.engine->runnable += overlap(interval, span->woken, span->on);
            (waits_for_others(*span) ? exchange.engine->waited : exchange.engine->disk) += blocked;
        }
    }
}

void charge_engine(Trail& trail, Instant from, ExchangeId exchange) {
    const ThreadTimeline* const timeline = trail.timelines.find(trail.thread);
    while (timeline != nullptr && trail.at > from && trail.at > trail.floor) {
        const OffCpuSpan* const span = timeline->latest_off(trail.at);
        if (span == nullptr || span->on <= from) {
            break;
        }
        trail.charge(std::max(from, span->on), Cause::db_embedded, exchange);
        trail.charge(std::max(from, span->woken), Cause::run_queue);
        trail.charge(std::max(from, span->off), waits_for_others(*span) ? Cause::db_queue : Cause::db_embedded, exchange);
    }
    trail.charge(from, Cause::db_embedded, exchange);
}

}  // namespace timesink::attribute
