#include "attribute/loop_walk.hpp"

#include <algorithm>

#include "attribute/embedded.hpp"
#include "attribute/rules.hpp"
#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// Exchanges of one connection that may be answered in another order than asked, as far as a call's is looked for.
constexpr std::size_t kMostBeside = 16;

/// Why a thread that had work to do was blocked in the middle of it.
Cause cause_of(const OffCpuSpan& span) {
    if (span.iowait) {
        return Cause::disk;
    }
    switch (wait_kind(span.syscall)) {
        case WaitKind::futex:
        case WaitKind::lock:
            return Cause::lock;
        case WaitKind::sleep:
            return Cause::sleep;
        case WaitKind::file:
            return Cause::disk;
        case WaitKind::none:
            return Cause::page_fault;
        case WaitKind::poll:
        case WaitKind::socket:
        case WaitKind::other:
            break;
    }
    return Cause::unattributed;
}

/// The thread had nothing to do.
bool is_idle(const OffCpuSpan& span) {
    return span.blocked() && wait_kind(span.syscall) == WaitKind::poll;
}

/// A helper thread's wait until it was given something to do. One that began before the attach has no system call that is known;
/// a page fault has none either, but does not end by a futex call of another thread.
bool waits_for_work(const OffCpuSpan& span) {
    const WaitKind kind = wait_kind(span.syscall);
    return span.blocked() &&
           (kind == WaitKind::futex || (kind == WaitKind::none && wait_kind(span.waker_syscall) == WaitKind::futex));
}

/// The same, while a unit waited for its turn: that another one's work was blocked on the disk, or slept (SQLite does, for a
/// lock), is no wait of its own.
Cause cause_of(const OffCpuSpan& span, Cause running) {
    const Cause cause = cause_of(span);
    return running == Cause::loop_busy && (cause == Cause::disk || cause == Cause::sleep) ? running : cause;
}

/// Where the walk goes on before the call. A call takes time: one of no length would be met again and again.
Instant begin_of(const SocketCall& call) {
    return std::min(call.entered, call.exited - Duration(1));
}

/// The latest span in (from, at) in which the thread had nothing to do; null: it was busy throughout.
const OffCpuSpan* latest_idle(const ThreadTimeline& timeline, Instant from, Instant at) {
    const OffCpuSpan* span = timeline.latest_off(at);
    while (span != nullptr && span->on > from && !is_idle(*span)) {
        span = timeline.off_before(*span);
    }
    return span != nullptr && span->on > from ? span : nullptr;
}

}  // namespace

LoopWalk::LoopWalk(const LiveUnit& live, const Timelines& timelines, const ConnectionPools& pools, std::vector<Piece>& pieces)
    : trail_(live, timelines, pieces), unit_(live.unit), timelines_(timelines), pools_(pools) {}

void LoopWalk::run() {
    gather_marks();
    while (!trail_.before_the_read()) {
        const Instant before = trail_.at;
        step();
        if (trail_.at == before) {
            break;  // nothing that is known explains this moment
        }
    }
    trail_.finish();
}

void LoopWalk::gather_marks() {
    using What = Mark::What;
    marks_.push_back({trail_.read, unit_.thread, nullptr, What::request_read});
    if (unit_.read_end > trail_.read) {
        marks_.push_back({unit_.read_end, unit_.thread, nullptr, What::request_read});
    }
    for (const OwnedExchange& owned : trail_.live.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        if (exchange.connect_began != Instant{} && exchange.connected > exchange.connect_began) {
            marks_.push_back({exchange.connected, exchange.sent_by, &owned, What::connected});
        }
        marks_.push_back({exchange.sent, exchange.sent_by, &owned, What::sent});
        if (exchange.arrived != Instant{} && exchange.read_end >= exchange.arrived) {
            marks_.push_back({exchange.read_end, exchange.read_by, &owned, What::reply_read});
        }
    }
    if (const ThreadTimeline* timeline = timelines_.find(unit_.answered_by);
        timeline != nullptr && unit_.first_response != Instant{}) {
        for (const SocketCall* call = timeline->next_call(unit_.first_response); call != nullptr && call->entered < unit_.end;
             call = timeline->next_call(std::max(call->exited, call->entered + Duration(1)))) {
            if (call->socket == unit_.socket && call->operation == TS_OPERATION_WRITE) {
                marks_.push_back({call->entered, unit_.answered_by, nullptr, What::responded});
            }
        }
    }
    std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) { return a.at < b.at; });
}

/// Back over the work that led to this moment, to the call or the wait before it.
void LoopWalk::step() {
    const ThreadTimeline* timeline = timelines_.find(trail_.thread);
    const SocketCall* call = timeline == nullptr ? nullptr : timeline->latest_call(trail_.at);
    if (timeline == nullptr) {
        trail_.charge(trail_.read, Cause::unattributed);
        return;
    }
    const Instant since = std::max(call == nullptr ? timeline->known_since() : call->exited, trail_.read);
    const bool on_loop = trail_.thread == unit_.thread;
    for (const OffCpuSpan* span = timeline->latest_off(trail_.at); span != nullptr && span->on > since;
         span = timeline->off_before(*span)) {
        if (is_idle(*span)) {
            charge_running(*timeline, span->on, Cause::cpu);
            trail_.charge(span->woken, Cause::run_queue);
            gap(*timeline);
            return;
        }
        if (!on_loop && waits_for_work(*span) && follow_starter(*timeline, *span)) {
            return;
        }
    }
    charge_running(*timeline, since, Cause::cpu);
    if (trail_.before_the_read()) {
        return;
    }
    if (call == nullptr || call->exited < since) {
        trail_.charge(trail_.read, Cause::unattributed);
        return;
    }
    if (is_own(*call)) {
        own_call(*timeline, *call);
    } else {
        gap(*timeline);
    }
}

/// Charges [from, at) by what the thread did: executed, for which `running` is charged, or was off the CPU.
void LoopWalk::charge_running(const ThreadTimeline& timeline, Instant from, Cause running) {
    const OffCpuSpan* span = timeline.latest_off(trail_.at);
    for (; trail_.at > from && trail_.at > trail_.floor; span = timeline.off_before(*span)) {
        if (span == nullptr || span->on <= from) {
            break;
        }
        trail_.charge(std::max(from, span->on), running);
        trail_.charge(std::max(from, span->woken), Cause::run_queue);
        trail_.charge(std::max(from, span->off), is_idle(*span) ? running : cause_of(*span, running));
    }
    trail_.charge(from, running);
}

/// The exchange of this unit that the call belongs to; null: none, it is another's.
const OwnedExchange* LoopWalk::exchange_of(const SocketCall& call) const {
    const std::vector<OwnedExchange>& exchanges = trail_.live.exchanges;
    // In order of sending: the latest that was sent by then on this socket, or one before it that was answered later.
    std::size_t looked_at = 0;
    auto at = std::upper_bound(exchanges.begin(), exchanges.end(), call.entered,
                               [](Instant entered, const OwnedExchange& owned) { return entered < owned.exchange.sent; });
    while (at != exchanges.begin()) {
        --at;
        if (at->exchange.socket != call.socket) {
            continue;
        }
        if (call.exited <= std::max(at->exchange.read_end, at->exchange.sent_end)) {
            return &*at;
        }
        if (++looked_at == kMostBeside) {
            break;
        }
    }
    return nullptr;
}

bool LoopWalk::is_own(const SocketCall& call) const {
    return call.socket == unit_.socket || exchange_of(call) != nullptr;
}

/// At its end.
void LoopWalk::own_call(const ThreadTimeline& timeline, const SocketCall& call) {
    const OwnedExchange* owned = exchange_of(call);
    const bool reads_reply = owned != nullptr && call.operation == TS_OPERATION_READ && owned->exchange.arrived != Instant{} &&
                             call.exited == owned->exchange.read_end;
    if (reads_reply) {
        charge_reply(*owned);
    } else {
        charge_running(timeline, begin_of(call), Cause::cpu);
    }
}

/// What came before belongs to others: the unit waited for its turn, or for something else, since its own latest mark.
void LoopWalk::gap(const ThreadTimeline& timeline) {
    while (!marks_.empty() && marks_.back().at >= trail_.at) {
        marks_.pop_back();
    }
    if (marks_.empty()) {
        return;
    }
    const Mark mark = marks_.back();
    if (trail_.at <= unit_.read_end) {
        charge_running(timeline, std::max(unit_.request_arrived, trail_.read), Cause::loop_busy);
        trail_.charge(trail_.read, Cause::transfer_request);
        return;
    }
    if (mark.thread != trail_.thread && charge_helper(timeline, mark)) {
        return;
    }
    if (mark.what == Mark::What::responded && charge_slow_client(timeline, mark)) {
        return;
    }
    charge_wait(timeline, mark.at);
    marks_.pop_back();
    resume(mark);
}

/// The walk has come back to this mark.
void LoopWalk::resume(const Mark& mark) {
    switch (mark.what) {
        case Mark::What::reply_read:
            charge_reply(*mark.exchange);
            return;
        case Mark::What::connected:
            trail_.charge(mark.exchange->exchange.connect_began, causes_of(*mark.exchange).connect, mark.exchange->exchange.id);
            break;
        case Mark::What::request_read:
        case Mark::What::sent:
        case Mark::What::responded:
            break;
    }
    trail_.thread = mark.thread;
}

/// From the read of a reply back to the sending of its request.
void LoopWalk::charge_reply(const OwnedExchange& owned) {
    const request::Exchange& exchange = owned.exchange;
    trail_.thread = exchange.read_by;
    if (exchange.engine != nullptr) {
        charge_executed(exchange);
        return;
    }
    if (const ThreadTimeline* timeline = timelines_.find(trail_.thread)) {
        const OffCpuSpan* span = timeline->latest_off(exchange.arrived_end);
        const bool woken_by_it = span != nullptr && span->woken > exchange.arrived_end;
        const Instant ready = woken_by_it ? span->woken : exchange.arrived_end;
        // What it did since its last call for others is its way to this read.
        auto earlier = timeline->calls_before(trail_.at);
        const SocketCall* before = earlier.latest_call(trail_.at);
        while (before != nullptr && before->exited > ready && is_own(*before)) {
            before = earlier.latest_call(begin_of(*before));
        }
        charge_running(*timeline, before == nullptr ? ready : std::max(before->exited, ready), Cause::cpu);
        charge_running(*timeline, ready, Cause::loop_busy);
    }
    trail_.charge(exchange.arrived_end, Cause::run_queue);
    trail_.charge(exchange.arrived, causes_of(owned).body, exchange.id);
    trail_.charge_first_byte(owned);
}

/// Back to the begin of what an engine in the process executed; between its rows the thread worked with them.
void LoopWalk::charge_executed(const request::Exchange& exchange) {
    const std::vector<Interval> intervals = engine_intervals(exchange);
    for (auto interval = intervals.rbegin(); interval != intervals.rend(); ++interval) {
        if (const ThreadTimeline* timeline = timelines_.find(trail_.thread)) {
            charge_running(*timeline, interval->end, Cause::cpu);
        }
        charge_engine(trail_, interval->begin, exchange.id);
    }
}

/// Another thread of the process ended a wait of this one since then, by a call of its own: it had word for the loop. What a unit
/// waited for then need not have been a timer; helpers compute, or wait for other processes.
bool LoopWalk::told_by_another(const ThreadTimeline& timeline, Instant from) const {
    constexpr int kMostWaits = 64;
    const OffCpuSpan* wait = latest_idle(timeline, from, trail_.at);
    for (int seen = 0; wait != nullptr && seen < kMostWaits; ++seen) {
        const ThreadTimeline* const waker = timelines_.find(wait->waker);
        if (wait->waker != trail_.thread && wait->waker_syscall >= 0 && waker != nullptr &&
            waker->process() == timeline.process()) {
            return true;
        }
        wait = latest_idle(timeline, from, wait->off);
    }
    return false;
}

/// [from, at) on this thread, in which nothing of the unit's own happened.
void LoopWalk::charge_wait(const ThreadTimeline& timeline, Instant from) {
    if (charge_pool_wait(timeline, from)) {
        return;
    }
    if (const OffCpuSpan* idle = latest_idle(timeline, from, trail_.at)) {
        // Since then it may have been ready; before, it was not, or the loop would have gone on with it.
        charge_running(timeline, idle->on, Cause::loop_busy);
        trail_.charge(idle->woken, Cause::run_queue);
        trail_.charge(from, told_by_another(timeline, from) ? Cause::unattributed : Cause::sleep);
        return;
    }
    charge_running(timeline, from, Cause::loop_busy);
}

/// Between two writes of the response, of which the first left the socket full: the client took its time.
bool LoopWalk::charge_slow_client(const ThreadTimeline& timeline, const Mark& mark) {
    const SocketCall* next = timeline.next_call(trail_.at);
    const SocketCall* full = timeline.next_call(mark.at);
    if (next == nullptr || next->operation != TS_OPERATION_WRITE || next->socket != unit_.socket || full == nullptr ||
        full->socket != unit_.socket || full->exited >= trail_.at || !may_have_filled(*full)) {
        return false;
    }
    const OffCpuSpan* idle = latest_idle(timeline, full->exited, trail_.at);
    if (idle == nullptr) {
        return false;  // it had no time to look whether there was room
    }
    charge_running(timeline, idle->on, Cause::loop_busy);
    trail_.charge(idle->woken, Cause::run_queue);
    trail_.charge(full->exited, Cause::transfer_response);
    return true;
}

/// What it does next, it does on a connection that another used until now.
bool LoopWalk::charge_pool_wait(const ThreadTimeline& timeline, Instant from) {
    const SocketCall* next = timeline.next_call(trail_.at);
    if (next == nullptr || next->operation != TS_OPERATION_WRITE || exchange_of(*next) == nullptr) {
        return false;
    }
    auto earlier = timeline.calls_before(trail_.at);
    const SocketCall* call = earlier.latest_call(trail_.at);
    while (call != nullptr && call->exited > from && call->socket != next->socket) {
        call = earlier.latest_call(begin_of(*call));
    }
    if (call == nullptr || call->exited <= from || call->operation != TS_OPERATION_READ) {
        return false;
    }
    // Whoever waits for a connection has it in the next turn: if the loop was idle since, this one asked only later.
    if (latest_idle(timeline, call->exited, trail_.at) != nullptr ||
        !pools_.exhausted(next->socket, call->exited, next->entered)) {
        return false;
    }
    charge_running(timeline, call->exited, Cause::loop_busy);
    trail_.charge(from, Cause::pool_wait);
    return true;
}

/// The mark is on another thread, which worked on from it and then told this one: the walk goes on there, at its next call.
bool LoopWalk::charge_helper(const ThreadTimeline& timeline, const Mark& mark) {
    const ThreadTimeline* helper = timelines_.find(mark.thread);
    const SocketCall* told = helper == nullptr || mark.what != Mark::What::reply_read ? nullptr : helper->next_call(mark.at);
    if (told == nullptr || told->entered >= trail_.at) {
        return false;
    }
    charge_running(timeline, told->entered, Cause::loop_busy);
    trail_.thread = mark.thread;
    return true;
}

/// A helper thread's wait for work: whoever woke it works for the unit, which has not been on this thread before. If it has, that
/// may be a wait for something else, unless it was the loop that ended it: then it had the next piece of the unit's work for it,
/// or had held a lock (the GIL) itself.
bool LoopWalk::follow_starter(const ThreadTimeline& timeline, const OffCpuSpan& wait) {
    const ThreadTimeline* starter = timelines_.find(wait.waker);
    const bool was_here = std::any_of(marks_.begin(), marks_.end(),
                                      [&](const Mark& mark) { return mark.thread == trail_.thread && mark.at <= wait.off; });
    if ((was_here && wait.waker != unit_.thread) || wait.waker == trail_.thread || starter == nullptr ||
        starter->process() != timeline.process()) {
        return false;
    }
    charge_running(timeline, wait.on, Cause::cpu);
    trail_.charge(wait.woken, Cause::run_queue);
    trail_.thread = wait.waker;
    return true;
}

}  // namespace timesink::attribute
