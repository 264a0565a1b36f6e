#include "attribute/trail.hpp"

#include <algorithm>

#include "attribute/rules.hpp"

namespace timesink::attribute {

Trail::Trail(const LiveUnit& of, const Timelines& known, std::vector<Piece>& written)
    : live(of),
      timelines(known),
      read(std::clamp(of.unit.read_begin, of.unit.begin, of.unit.end)),
      floor(read),
      at(of.unit.end),
      thread(of.unit.answered_by),
      pieces(written) {
    pieces.clear();
}

void Trail::charge(Instant to, Cause cause, ExchangeId exchange) {
    to = std::max(to, floor);
    if (to >= at) {
        return;
    }
    if (!pieces.empty() && pieces.back().cause == cause && pieces.back().exchange == exchange) {
        pieces.back().span.begin = to;
    } else {
        pieces.push_back({{to, at}, cause, exchange});
    }
    at = to;
}

void Trail::charge_first_byte(const OwnedExchange& owned) {
    const request::Exchange& exchange = owned.exchange;
    const ExchangeCauses causes = causes_of(owned);
    floor = read;
    charge(std::clamp(exchange.server_free, exchange.sent, exchange.arrived), causes.first_byte, exchange.id);
    charge(exchange.sent, causes.queue, exchange.id);
    thread = exchange.sent_by;
}

void Trail::finish() {
    charge(read, Cause::unattributed);
    charge_before_read();
    std::reverse(pieces.begin(), pieces.end());
}

/// [begin, read): the request was in the kernel. If the reading thread was woken meanwhile, it was free, and what followed is its
/// own way to the read; before that, and if it was busy all the time, the request waited for it.
void Trail::charge_before_read() {
    floor = live.unit.begin;
    thread = live.unit.thread;
    const ThreadTimeline* timeline = timelines.find(thread);
    Instant free_since = floor;
    bool woken = false;
    for (Instant from = at; timeline != nullptr;) {
        const OffCpuSpan* span = timeline->latest_off(from);
        if (span == nullptr || span->on <= floor) {
            break;
        }
        if (span->blocked()) {
            // Free only if it went straight to this request: else the wait was the unit's that it served before.
            const SocketCall* next = timeline->next_call(span->on);
            woken = next != nullptr && (next->socket == live.unit.socket || next->operation == TS_OPERATION_ACCEPT);
            free_since = std::max(span->woken, floor);
            break;
        }
        from = span->off;
    }
    if (!woken) {
        charge(floor, Cause::backlog);
        return;
    }
    while (at > free_since) {
        const OffCpuSpan* span = timeline->latest_off(at);
        charge(std::max(span->on, free_since), Cause::cpu);
        charge(std::max(span->woken, free_since), Cause::run_queue);
    }
    charge(floor, Cause::backlog);
}

}  // namespace timesink::attribute
