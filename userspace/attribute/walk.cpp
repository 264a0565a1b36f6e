#include "attribute/walk.hpp"

#include <algorithm>

#include "attribute/embedded.hpp"
#include "attribute/rules.hpp"
#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// What a driver may compute between its send and its wait. More is work of the unit that the exchange runs beside.
constexpr Duration kDriverWork = std::chrono::milliseconds(1);

}  // namespace

Walk::Walk(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces)
    : trail_(live, timelines, pieces), live_(live), unit_(live.unit), timelines_(timelines) {}

void Walk::run() {
    find_synchronous();
    while (!trail_.before_the_read()) {
        while (!synchronous_.empty() && synchronous_.back().until > trail_.at) {
            synchronous_.pop_back();
        }
        const Instant until = synchronous_.empty() ? trail_.read : std::max(trail_.read, synchronous_.back().until);
        if (trail_.at > until) {
            trail_.floor = until;
            step();
            trail_.floor = trail_.read;
            continue;
        }
        const Synchronous nearest = synchronous_.back();
        synchronous_.pop_back();
        if (trail_.thread == nearest.exchange->exchange.sent_by) {
            charge_synchronous(nearest);
        }
    }
    trail_.finish();
    withhold_shared();
}

void Walk::charge_synchronous(const Synchronous& call) {
    const request::Exchange& exchange = call.exchange->exchange;
    if (exchange.engine != nullptr) {
        // Another statement may have been executed between the rows of this one.
        const Instant other = synchronous_.empty() ? Instant{} : std::min(synchronous_.back().until, trail_.at);
        charge_engine(trail_, std::max(call.since, other), exchange.id);
        return;
    }
    trail_.charge(exchange.arrived, causes_of(*call.exchange).body, exchange.id);
    trail_.charge_first_byte(*call.exchange);
}

/// A thread that sends and then reads the reply, with no call on a socket between, waits for it whether it blocks or not: a write
/// on loopback often loses its CPU to the very server that it wakes, and when the thread is back the reply is there.
void Walk::find_synchronous() {
    synchronous_.reserve(live_.exchanges.size());
    for (const OwnedExchange& owned : live_.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        const ThreadTimeline* timeline = timelines_.find(exchange.sent_by);
        if (exchange.engine != nullptr && exchange.complete) {
            for (const Interval& interval : engine_intervals(exchange)) {
                synchronous_.push_back({&owned, interval.end, interval.begin});
            }
            continue;
        }
        if (exchange.sent_by != exchange.read_by || exchange.arrived <= exchange.sent || timeline == nullptr) {
            continue;
        }
        const SocketCall* next = timeline->next_call(exchange.sent_end);
        if (next == nullptr || next->operation != TS_OPERATION_READ || next->socket != exchange.socket) {
            continue;
        }
        const OffCpuSpan* before_read = timeline->latest_off(next->entered);
        if (before_read != nullptr && before_read->blocked() && before_read->off > exchange.arrived) {
            continue;  // the reply was there, and it waited for something else
        }
        for (const Instant until : {exchange.arrived_end, exchange.arrived}) {
            const Interval flight{exchange.sent, until};
            if (flight.length() - timeline->absence(flight).off <= kDriverWork) {
                synchronous_.push_back({&owned, until, {}});
                break;
            }
        }
    }
    std::sort(synchronous_.begin(), synchronous_.end(), [](const auto& a, const auto& b) { return a.until < b.until; });
}

void Walk::step() {
    const ThreadTimeline* timeline = timelines_.find(trail_.thread);
    if (timeline == nullptr) {
        trail_.charge(trail_.floor, Cause::unattributed);
        return;
    }
    const OffCpuSpan* span = timeline->latest_off(trail_.at);
    if (span == nullptr || span->on <= trail_.floor) {
        trail_.charge(std::max(trail_.floor, timeline->known_since()), Cause::cpu);
        trail_.charge(trail_.floor, Cause::unattributed);
        return;
    }
    trail_.charge(span->on, Cause::cpu);
    trail_.charge(span->woken, Cause::run_queue);
    if (trail_.at > span->off) {
        blocked(*timeline, *span);
    }
}

void Walk::blocked(const ThreadTimeline& timeline, const OffCpuSpan& span) {
    if (span.iowait) {
        trail_.charge(span.off, Cause::disk);
        return;
    }
    switch (wait_kind(span.syscall)) {
        case WaitKind::socket: {
            const SocketCall* call = timeline.call_around(span);
            if (call != nullptr && on_socket(*call, span)) {
                return;
            }
            // A pipe or an eventfd: what wrote to it may have worked for us.
            if (call != nullptr || !follow_waker(timeline, span)) {
                trail_.charge(span.off, span.state == TS_OFF_UNINTERRUPTIBLE ? Cause::disk : Cause::unattributed);
            }
            return;
        }
        case WaitKind::poll:
            polled(timeline, span);
            return;
        case WaitKind::futex:
            if (!follow_waker(timeline, span)) {
                trail_.charge(span.off, Cause::lock);
            }
            return;
        case WaitKind::sleep:
            trail_.charge(span.off, Cause::sleep);
            return;
        case WaitKind::file:
            trail_.charge(span.off, Cause::disk);
            return;
        case WaitKind::lock:
            trail_.charge(span.off, Cause::lock);
            return;
        case WaitKind::none:
            // One that began before the attach has no system call that is known; but nobody waits for a page so that a signal
            // would end it.
            if (span.state != TS_OFF_INTERRUPTIBLE) {
                trail_.charge(span.off, Cause::page_fault);
            } else if (!follow_waker(timeline, span)) {
                trail_.charge(span.off, Cause::unattributed);
            }
            return;
        case WaitKind::other:
            trail_.charge(span.off, Cause::unattributed);
            return;
    }
}

/// The wait was inside a call on this socket, or ended in front of one. True: charged.
bool Walk::on_socket(const SocketCall& call, const OffCpuSpan& span) {
    if (call.socket == unit_.socket) {
        // Only while the request is not whole, or the response has begun: else the call merely happens to be the next one.
        const bool body_missing =
            call.operation == TS_OPERATION_READ && (unit_.read_end == Instant{} || unit_.read_end >= span.on);
        const ThreadTimeline* timeline = timelines_.find(trail_.thread);
        const SocketCall* before = timeline == nullptr ? nullptr : timeline->latest_write(unit_.socket, span.off);
        const bool left_full = unit_.first_response != Instant{} && unit_.first_response <= span.off && before != nullptr &&
                               may_have_filled(*before);
        const bool reader_slow = call.operation == TS_OPERATION_WRITE && (call.entered <= span.off || left_full);
        if (body_missing || reader_slow) {
            trail_.charge(span.off, body_missing ? Cause::transfer_request : Cause::transfer_response);
        }
        return body_missing || reader_slow;
    }
    if (call.operation == TS_OPERATION_CONNECT) {
        const OwnedExchange* first = nullptr;
        for (const OwnedExchange& owned : live_.exchanges) {
            if (owned.exchange.socket == call.socket && owned.exchange.connect_began != Instant{}) {
                first = &owned;
                break;
            }
        }
        const Cause cause = first != nullptr ? causes_of(*first).connect : Cause::provider_connect;
        trail_.charge(span.off, cause, first != nullptr ? first->exchange.id : ExchangeId{});
        return true;
    }
    const OwnedExchange* awaited = awaited_on(call.socket, span);
    if (awaited == nullptr) {
        return false;
    }
    if (call.operation == TS_OPERATION_WRITE) {
        // The request itself did not fit: the other end is slow to take it.
        if (awaited->exchange.sent >= span.on) {
            return false;  // it was sent only after the wait, which therefore was for something else
        }
        trail_.charge(span.off, causes_of(*awaited).first_byte, awaited->exchange.id);
        return true;
    }
    return wait_for_reply(*awaited, span);
}

bool Walk::wait_for_reply(const OwnedExchange& owned, const OffCpuSpan& span) {
    const request::Exchange& exchange = owned.exchange;
    if (exchange.sent > span.off) {
        return false;
    }
    const ExchangeCauses causes = causes_of(owned);
    if (exchange.arrived == Instant{} || exchange.arrived > span.on) {
        trail_.charge(exchange.sent, causes.first_byte, exchange.id);  // given up before it was answered
        trail_.thread = exchange.sent_by;
        return true;
    }
    if (exchange.arrived <= span.off) {
        trail_.charge(span.off, causes.body, exchange.id);  // the reply had begun: this waits for more of it
        return true;
    }
    trail_.charge(exchange.arrived, exchange.arrived_end > exchange.arrived ? causes.body : Cause::run_queue,
                  exchange.arrived_end > exchange.arrived ? exchange.id : ExchangeId{});
    trail_.charge_first_byte(owned);
    return true;
}

/// The earliest exchange on the socket that was not fully read when the span ended.
const OwnedExchange* Walk::awaited_on(SocketId socket, const OffCpuSpan& span) const {
    for (const OwnedExchange& owned : live_.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        if (exchange.socket == socket && (exchange.read_end == Instant{} || exchange.read_end >= span.on)) {
            return &owned;
        }
    }
    return nullptr;
}

/// An exchange whose reply came during the span, the latest such; else one that was still unanswered after it.
const OwnedExchange* Walk::outstanding(const OffCpuSpan& span) const {
    const OwnedExchange* found = nullptr;
    for (const OwnedExchange& owned : live_.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        const bool asked = exchange.sent <= span.off;
        const bool open = exchange.arrived_end == Instant{} || exchange.arrived_end > span.off;
        if (!asked || !open) {
            continue;
        }
        const bool answered_now = exchange.arrived != Instant{} && exchange.arrived <= span.woken;
        if (found == nullptr || (answered_now && exchange.arrived >= found->exchange.arrived)) {
            found = &owned;
        }
    }
    return found;
}

void Walk::polled(const ThreadTimeline& timeline, const OffCpuSpan& span) {
    const SocketCall* next = timeline.next_call(span.on);
    const bool next_is_ours = next != nullptr && next->entered <= unit_.end;
    const OwnedExchange* awaited =
        next_is_ours && next->operation == TS_OPERATION_READ ? awaited_on(next->socket, span) : nullptr;
    const bool reply_came =
        awaited != nullptr && awaited->exchange.arrived_end > span.off && awaited->exchange.arrived <= span.woken;
    if (reply_came && wait_for_reply(*awaited, span)) {
        return;
    }
    if (follow_waker(timeline, span)) {
        return;
    }
    if (next_is_ours && on_socket(*next, span)) {
        return;
    }
    if (const OwnedExchange* owned = outstanding(span); owned != nullptr && wait_for_reply(*owned, span)) {
        return;
    }
    // Nothing of its own was outstanding, no one woke it: the time-out did.
    trail_.charge(span.off, Cause::sleep);
}

bool Walk::is_own_thread(ThreadId thread) const {
    return thread == unit_.thread || thread == unit_.answered_by ||
           std::any_of(live_.exchanges.begin(), live_.exchanges.end(), [thread](const OwnedExchange& owned) {
               return owned.exchange.sent_by == thread || owned.exchange.read_by == thread;
           });
}

/// One that makes calls of the unit; or what it does at that moment began when a thread that works for the unit woke it. Others
/// may end a wait, too: whoever held the GIL or another lock, on business of its own.
bool Walk::works_for_unit(const ThreadTimeline& timeline, ThreadId thread, Instant at, int hand_overs) const {
    constexpr int kLooks = 64;
    if (is_own_thread(thread)) {
        return true;
    }
    const OffCpuSpan* span = timeline.latest_off(at);
    for (int looks = 0; span != nullptr && span->on >= unit_.read_begin && looks < kLooks; ++looks) {
        if (span->blocked()) {
            const bool told = span->waker_syscall >= 0 && span->waker != thread && span->woken >= unit_.read_begin;
            const ThreadTimeline* const waker = told ? timelines_.find(span->waker) : nullptr;
            const bool ours = waker != nullptr && waker->process() == timeline.process() &&
                              (is_own_thread(span->waker) ||
                               (hand_overs > 0 && works_for_unit(*waker, span->waker, span->woken, hand_overs - 1)));
            const WaitKind kind = wait_kind(span->syscall);
            if (ours || kind == WaitKind::poll || kind == WaitKind::socket) {
                return ours;
            }
        }
        span = timeline.latest_off(span->off);
    }
    return false;
}

/// Woken by a thread of the same process that works for the unit, while this was its only one: the walk goes on there.
bool Walk::follow_waker(const ThreadTimeline& timeline, const OffCpuSpan& span) {
    if (!live_.alone || span.waker == trail_.thread || span.waker_syscall < 0) {
        return false;
    }
    const ThreadTimeline* waker = timelines_.find(span.waker);
    if (waker == nullptr || waker->process() != timeline.process()) {
        return false;
    }
    if (constexpr int kHandOvers = 3; !works_for_unit(*waker, span.waker, span.woken, kHandOvers)) {
        return false;
    }
    trail_.charge(span.woken, Cause::run_queue);
    const OffCpuSpan* its_latest = waker->latest_off(trail_.at);
    if (its_latest != nullptr && its_latest->on >= trail_.at) {
        return false;  // it was not on a CPU when it is said to have woken us: a bystander of an interrupt
    }
    trail_.thread = span.waker;
    return true;
}

void Walk::withhold_shared() {
    if (live_.shared.empty()) {
        return;
    }
    const auto by_state = [](const Piece& piece) {
        return bucket_of(piece.cause) == Bucket::overhead && piece.cause != Cause::backlog && piece.exchange == ExchangeId{};
    };
    std::vector<Piece> result;
    const auto add = [&](Interval span, Cause cause, ExchangeId exchange) {
        if (span.begin >= span.end) {
            return;
        }
        if (!result.empty() && result.back().cause == cause && result.back().exchange == exchange) {
            result.back().span.end = span.end;
        } else {
            result.push_back({span, cause, exchange});
        }
    };
    auto first = live_.shared.begin();  // pieces ascend: what is over by one is over by the next
    for (const Piece& piece : trail_.pieces) {
        Instant from = piece.span.begin;
        while (first != live_.shared.end() && first->end <= from) {
            ++first;
        }
        for (auto shared = by_state(piece) ? first : live_.shared.end(); shared != live_.shared.end(); ++shared) {
            if (shared->end <= from || shared->begin >= piece.span.end) {
                continue;
            }
            add({from, std::max(from, shared->begin)}, piece.cause, piece.exchange);
            const Instant to = std::min(shared->end, piece.span.end);
            add({std::max(from, shared->begin), to}, Cause::unattributed, {});
            from = to;
        }
        add({from, piece.span.end}, piece.cause, piece.exchange);
    }
    trail_.pieces = std::move(result);
}

}  // namespace timesink::attribute
