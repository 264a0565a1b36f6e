#include "attribute/goroutine_walk.hpp"

#include <algorithm>

#include "attribute/rules.hpp"
#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// Between two goroutines a thread looks for work, which ends in one of these.
bool looks_for_work(const OffCpuSpan& span) {
    const WaitKind kind = wait_kind(span.syscall);
    return span.blocked() && (kind == WaitKind::poll || kind == WaitKind::futex || kind == WaitKind::sleep);
}

/// Why a thread was blocked in the middle of its work.
Cause cause_of(const OffCpuSpan& span) {
    if (span.iowait || wait_kind(span.syscall) == WaitKind::file) {
        return Cause::disk;
    }
    return wait_kind(span.syscall) == WaitKind::none ? Cause::page_fault : Cause::unattributed;
}

}  // namespace

GoroutineWalk::GoroutineWalk(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces)
    : trail_(live, timelines, pieces), unit_(live.unit) {}

void GoroutineWalk::run() {
    gather_marks();
    while (!trail_.before_the_read() && !marks_.empty()) {
        const Mark mark = marks_.back();
        marks_.pop_back();
        if (mark.at > trail_.at) {
            continue;  // beside an exchange that the walk has passed
        }
        gap(mark);
        trail_.thread = mark.thread;
        if (mark.reply != nullptr) {
            charge_reply(*mark.reply);
        } else if (mark.connect != nullptr) {
            trail_.charge(mark.connect->exchange.connect_began, causes_of(*mark.connect).connect, mark.connect->exchange.id);
        }
    }
    trail_.finish();
}

void GoroutineWalk::gather_marks() {
    marks_.push_back({trail_.read, unit_.thread});
    if (unit_.first_response != Instant{}) {
        marks_.push_back({unit_.first_response, unit_.answered_by});
    }
    for (const OwnedExchange& owned : trail_.live.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        if (exchange.connect_began != Instant{} && exchange.connected > exchange.connect_began) {
            marks_.push_back({exchange.connected, exchange.sent_by, nullptr, &owned});
        }
        marks_.push_back({exchange.sent, exchange.sent_by});
        if (exchange.arrived != Instant{} && exchange.read_end >= exchange.arrived) {
            marks_.push_back({exchange.read_end, exchange.read_by, &owned});
        }
    }
    std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) { return a.at < b.at; });
}

/// [mark, at): on at the thread where the walk stands, from on at the mark's.
void GoroutineWalk::gap(const Mark& mark) {
    if (unit_.read_end > trail_.read && mark.at < unit_.read_end && trail_.at <= unit_.read_end) {
        trail_.charge(std::max(mark.at, unit_.request_arrived), Cause::loop_busy);
        trail_.charge(mark.at, Cause::transfer_request);
        return;
    }
    if (const ThreadTimeline* timeline = trail_.timelines.find(trail_.thread)) {
        charge_running(*timeline, running_since(*timeline, mark.at));
    }
    if (const ThreadTimeline* timeline = trail_.timelines.find(mark.thread); timeline != nullptr && trail_.at > mark.at) {
        trail_.charge(running_until(*timeline, mark.at, trail_.at), Cause::unattributed);
        charge_running(*timeline, mark.at);
    }
    trail_.charge(mark.at, Cause::unattributed);
}

bool GoroutineWalk::is_own(const SocketCall& call) const {
    const auto& exchanges = trail_.live.exchanges;
    return call.socket == unit_.socket || std::any_of(exchanges.begin(), exchanges.end(), [&](const OwnedExchange& owned) {
               return owned.exchange.socket == call.socket && call.entered >= owned.exchange.sent &&
                      call.exited <= std::max(owned.exchange.read_end, owned.exchange.sent_end);
           });
}

/// When the thread took up what it was doing at the moment where the walk stands; not before `from`.
Instant GoroutineWalk::running_since(const ThreadTimeline& timeline, Instant from) const {
    Instant since = std::max(from, timeline.known_since());
    for (const SocketCall* call = timeline.latest_call(trail_.at); call != nullptr && call->exited > since;
         call = timeline.latest_call(call->entered)) {
        if (!is_own(*call)) {
            since = call->exited;
            break;
        }
    }
    for (const OffCpuSpan* span = timeline.latest_off(trail_.at); span != nullptr && span->on > since;
         span = timeline.off_before(*span)) {
        if (looks_for_work(*span)) {
            return std::max(since, span->woken);
        }
    }
    return since;
}

/// When the thread left what it was doing at `from`; not after `to`.
Instant GoroutineWalk::running_until(const ThreadTimeline& timeline, Instant from, Instant to) const {
    Instant until = to;
    for (const SocketCall* call = timeline.next_call(from); call != nullptr && call->entered < until;
         call = timeline.next_call(call->exited)) {
        if (!is_own(*call)) {
            until = call->entered;
            break;
        }
    }
    for (const OffCpuSpan* span = timeline.latest_off(until); span != nullptr && span->off >= from;
         span = timeline.off_before(*span)) {
        if (looks_for_work(*span)) {
            until = span->off;
        }
    }
    return until;
}

/// Charges [from, at) by what the thread did.
void GoroutineWalk::charge_running(const ThreadTimeline& timeline, Instant from) {
    while (trail_.at > from && trail_.at > trail_.floor) {
        const OffCpuSpan* span = timeline.latest_off(trail_.at);
        if (span == nullptr || span->on <= from) {
            break;
        }
        trail_.charge(std::max(from, span->on), Cause::cpu);
        trail_.charge(std::max(from, span->woken), Cause::run_queue);
        trail_.charge(std::max(from, span->off), cause_of(*span));
    }
    trail_.charge(from, Cause::cpu);
}

/// From the read of a reply back to the sending of its request.
void GoroutineWalk::charge_reply(const OwnedExchange& owned) {
    const request::Exchange& exchange = owned.exchange;
    trail_.charge(exchange.arrived_end, trail_.live.alone ? Cause::run_queue : Cause::loop_busy);
    trail_.charge(exchange.arrived, causes_of(owned).body, exchange.id);
    trail_.charge_first_byte(owned);
}

}  // namespace timesink::attribute
