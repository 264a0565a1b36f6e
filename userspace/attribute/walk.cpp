#include "attribute/walk.hpp"

#include <algorithm>

#include "attribute/rules.hpp"
#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// A unit of an hour with a wake-up each 100 µs; beyond that the rest is unattributed rather than the report late.
constexpr std::size_t kMaximumPieces = 1U << 22U;

/// What a driver may compute between its send and its wait. More is work of the unit that the exchange runs beside.
constexpr Duration kDriverWork = std::chrono::milliseconds(1);

}  // namespace

Walk::Walk(const LiveUnit& live, const Timelines& timelines, std::vector<Piece>& pieces)
    : live_(live),
      unit_(live.unit),
      timelines_(timelines),
      read_(std::clamp(live.unit.read_begin, live.unit.begin, live.unit.end)),
      floor_(read_),
      at_(live.unit.end),
      thread_(live.unit.answered_by),
      pieces_(pieces) {
    pieces_.clear();
}

void Walk::run() {
    find_synchronous();
    while (at_ > read_ && pieces_.size() < kMaximumPieces) {
        while (!synchronous_.empty() && synchronous_.back().until > at_) {
            synchronous_.pop_back();
        }
        const Instant until = synchronous_.empty() ? read_ : std::max(read_, synchronous_.back().until);
        if (at_ > until) {
            floor_ = until;
            step();
            floor_ = read_;
            continue;
        }
        const OwnedExchange& nearest = *synchronous_.back().exchange;
        synchronous_.pop_back();
        if (thread_ == nearest.exchange.sent_by) {
            charge(nearest.exchange.arrived, causes_of(nearest.bucket).body, nearest.exchange.id);
            charge_first_byte(nearest);
        }
    }
    charge(read_, Cause::unattributed);
    before_read();
    std::reverse(pieces_.begin(), pieces_.end());
    withhold_shared();
}

/// A thread that sends and then reads the reply, with no call on a socket between, waits for it whether it blocks or not: a write
/// on loopback often loses its CPU to the very server that it wakes, and when the thread is back the reply is there.
void Walk::find_synchronous() {
    for (const OwnedExchange& owned : live_.exchanges) {
        const request::Exchange& exchange = owned.exchange;
        const ThreadTimeline* timeline = timelines_.find(exchange.sent_by);
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
                synchronous_.push_back({&owned, until});
                break;
            }
        }
    }
    std::sort(synchronous_.begin(), synchronous_.end(), [](const auto& a, const auto& b) { return a.until < b.until; });
}

void Walk::charge(Instant to, Cause cause, ExchangeId exchange) {
    to = std::max(to, floor_);
    if (to >= at_) {
        return;
    }
    if (!pieces_.empty() && pieces_.back().cause == cause && pieces_.back().exchange == exchange) {
        pieces_.back().span.begin = to;
    } else {
        pieces_.push_back({{to, at_}, cause, exchange});
    }
    at_ = to;
}

void Walk::step() {
    const ThreadTimeline* timeline = timelines_.find(thread_);
    if (timeline == nullptr) {
        charge(floor_, Cause::unattributed);
        return;
    }
    const OffCpuSpan* span = timeline->latest_off(at_);
    if (span == nullptr || span->on <= floor_) {
        charge(std::max(floor_, timeline->known_since()), Cause::cpu);
        charge(floor_, Cause::unattributed);
        return;
    }
    charge(span->on, Cause::cpu);
    charge(span->woken, Cause::run_queue);
    if (at_ > span->off) {
        blocked(*timeline, *span);
    }
}

/// From the arrival of the first byte of the reply back to the sending, where the walk goes on.
void Walk::charge_first_byte(const OwnedExchange& owned) {
    const request::Exchange& exchange = owned.exchange;
    const ExchangeCauses causes = causes_of(owned.bucket);
    floor_ = read_;
    charge(std::clamp(exchange.server_free, exchange.sent, exchange.arrived), causes.first_byte, exchange.id);
    charge(exchange.sent, causes.queue, exchange.id);
    thread_ = exchange.sent_by;
}

void Walk::blocked(const ThreadTimeline& timeline, const OffCpuSpan& span) {
    if (span.iowait) {
        charge(span.off, Cause::disk);
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
                charge(span.off, span.state == TS_OFF_UNINTERRUPTIBLE ? Cause::disk : Cause::unattributed);
            }
            return;
        }
        case WaitKind::poll:
            polled(timeline, span);
            return;
        case WaitKind::futex:
            if (!follow_waker(timeline, span)) {
                charge(span.off, Cause::lock);
            }
            return;
        case WaitKind::sleep:
            charge(span.off, Cause::sleep);
            return;
        case WaitKind::file:
            charge(span.off, Cause::disk);
            return;
        case WaitKind::lock:
            charge(span.off, Cause::lock);
            return;
        case WaitKind::none:
            charge(span.off, Cause::page_fault);
            return;
        case WaitKind::other:
            charge(span.off, Cause::unattributed);
            return;
    }
}

/// The wait was inside a call on this socket, or ended in front of one. True: charged.
bool Walk::on_socket(const SocketCall& call, const OffCpuSpan& span) {
    if (call.socket == unit_.socket) {
        // Only while the request is not whole, or the response has begun: else the call merely happens to be the next one.
        const bool body_missing =
            call.operation == TS_OPERATION_READ && (unit_.read_end == Instant{} || unit_.read_end >= span.on);
        const bool reader_slow =
            call.operation == TS_OPERATION_WRITE &&
            (call.entered <= span.off || (unit_.first_response != Instant{} && unit_.first_response <= span.off));
        if (body_missing || reader_slow) {
            charge(span.off, body_missing ? Cause::transfer_request : Cause::transfer_response);
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
        const Cause cause = first != nullptr ? causes_of(first->bucket).connect : Cause::provider_connect;
        charge(span.off, cause, first != nullptr ? first->exchange.id : ExchangeId{});
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
        charge(span.off, causes_of(awaited->bucket).first_byte, awaited->exchange.id);
        return true;
    }
    return wait_for_reply(*awaited, span);
}

bool Walk::wait_for_reply(const OwnedExchange& owned, const OffCpuSpan& span) {
    const request::Exchange& exchange = owned.exchange;
    if (exchange.sent > span.off) {
        return false;
    }
    const ExchangeCauses causes = causes_of(owned.bucket);
    if (exchange.arrived == Instant{} || exchange.arrived > span.on) {
        charge(exchange.sent, causes.first_byte, exchange.id);  // given up before it was answered
        thread_ = exchange.sent_by;
        return true;
    }
    if (exchange.arrived <= span.off) {
        charge(span.off, causes.body, exchange.id);  // the reply had begun: this waits for more of it
        return true;
    }
    charge(exchange.arrived, exchange.arrived_end > exchange.arrived ? causes.body : Cause::run_queue,
           exchange.arrived_end > exchange.arrived ? exchange.id : ExchangeId{});
    charge_first_byte(owned);
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
    charge(span.off, Cause::sleep);
}

/// Woken by a thread of the same process while this was its only unit: that thread worked for the unit, so the walk goes on
/// there.
bool Walk::follow_waker(const ThreadTimeline& timeline, const OffCpuSpan& span) {
    if (!live_.alone || span.waker == thread_ || span.waker_syscall < 0) {
        return false;
    }
    const ThreadTimeline* waker = timelines_.find(span.waker);
    if (waker == nullptr || waker->process() != timeline.process()) {
        return false;
    }
    charge(span.woken, Cause::run_queue);
    const OffCpuSpan* its_latest = waker->latest_off(at_);
    if (its_latest != nullptr && its_latest->on >= at_) {
        return false;  // it was not on a CPU when it is said to have woken us: a bystander of an interrupt
    }
    thread_ = span.waker;
    return true;
}

/// [begin, read): the request was in the kernel. If the reading thread was woken meanwhile, it was free, and what followed is its
/// own way to the read; before that, and if it was busy all the time, the request waited for it.
void Walk::before_read() {
    floor_ = unit_.begin;
    thread_ = unit_.thread;
    const ThreadTimeline* timeline = timelines_.find(thread_);
    Instant free_since = floor_;
    bool woken = false;
    for (Instant at = at_; timeline != nullptr;) {
        const OffCpuSpan* span = timeline->latest_off(at);
        if (span == nullptr || span->on <= floor_) {
            break;
        }
        if (span->blocked()) {
            // Free only if it went straight to this request: else the wait was the unit's that it served before.
            const SocketCall* next = timeline->next_call(span->on);
            woken = next != nullptr && (next->socket == unit_.socket || next->operation == TS_OPERATION_ACCEPT);
            free_since = std::max(span->woken, floor_);
            break;
        }
        at = span->off;
    }
    if (!woken) {
        charge(floor_, Cause::backlog);
        return;
    }
    while (at_ > free_since) {
        const OffCpuSpan* span = timeline->latest_off(at_);
        charge(std::max(span->on, free_since), Cause::cpu);
        charge(std::max(span->woken, free_since), Cause::run_queue);
    }
    charge(floor_, Cause::backlog);
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
    for (const Piece& piece : pieces_) {
        Instant from = piece.span.begin;
        for (const Interval& shared : live_.shared) {
            if (!by_state(piece) || shared.end <= from || shared.begin >= piece.span.end) {
                continue;
            }
            add({from, std::max(from, shared.begin)}, piece.cause, piece.exchange);
            const Instant to = std::min(shared.end, piece.span.end);
            add({std::max(from, shared.begin), to}, Cause::unattributed, {});
            from = to;
        }
        add({from, piece.span.end}, piece.cause, piece.exchange);
    }
    pieces_ = std::move(result);
}

}  // namespace timesink::attribute
