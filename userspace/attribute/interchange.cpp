#include "attribute/interchange.hpp"

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// The wait for events that the thread came back from last, if it has not read since its latest call; null: none, or too long
/// ago for this to be its turn.
const OffCpuSpan* latest_wait(const ThreadTimeline& timeline, Instant at) {
    constexpr int kPreemptions = 16;
    const SocketCall* const call = timeline.latest_call(at);
    const bool read = call != nullptr && call->operation == TS_OPERATION_READ && call->result >= 0;
    const OffCpuSpan* span = timeline.latest_off(at);
    for (int back = 0; span != nullptr && back < kPreemptions && !(read && span->on <= call->entered); ++back) {
        if (span->blocked() && waits_in_epoll(span->syscall)) {
            return span;
        }
        span = timeline.off_before(*span);
    }
    return nullptr;
}

bool has_read_since(const ThreadTimeline& timeline, Instant from, Instant to) {
    const SocketCall* call = timeline.next_call(from);
    while (call != nullptr && call->entered < to) {
        if (call->operation == TS_OPERATION_READ && call->result >= 0) {
            return true;
        }
        call = timeline.next_call(call->entered + std::chrono::nanoseconds(1));
    }
    return false;
}

}  // namespace

bool Interchange::answered(const request::Exchange& exchange) {
    // A connection that several use at once is read by one of them for all.
    const bool tells = exchange.complete && !exchange.shared && exchange.engine == nullptr;
    return tells && passed(exchange.process, exchange.sent_by, exchange.read_by);
}

bool Interchange::posted(const request::Exchange& exchange, bool elsewhere, const Timelines& timelines) const {
    const auto found = processes_.find(exchange.process);
    if (!elsewhere || exchange.housekeeping || found == processes_.end() || !found->second.readers.contains(exchange.sent_by)) {
        return false;
    }
    const ThreadTimeline* const timeline = timelines.find(exchange.sent_by);
    const OffCpuSpan* const wait = timeline != nullptr ? latest_wait(*timeline, exchange.sent) : nullptr;
    if (wait == nullptr || wait->waker_syscall < 0 || wait->waker == exchange.sent_by) {
        return false;
    }
    // A wake-up by the network may run on the CPU of any thread: then what woke it is read.
    const ThreadTimeline* const waker = timelines.find(wait->waker);
    return waker != nullptr && waker->process() == exchange.process && !has_read_since(*timeline, wait->on, exchange.sent);
}

bool Interchange::sent(const request::Exchange& exchange, bool posted) {
    const auto found = processes_.find(exchange.process);
    if (found == processes_.end() || found->second.known || exchange.engine != nullptr || exchange.housekeeping ||
        !found->second.readers.contains(exchange.sent_by)) {
        return false;
    }
    InProcess& seen = found->second;
    ++(posted ? seen.posted : seen.own);
    seen.known = posted && seen.posted >= kSeen && seen.posted * kOneIn >= seen.posted + seen.own;
    return seen.known;
}

void Interchange::exited(ThreadId thread, ProcessId process) {
    const auto found = processes_.find(process);
    if (found != processes_.end()) {
        found->second.readers.erase(thread);
        found->second.gave.erase(thread);
        found->second.took.erase(thread);
    }
}

bool Interchange::passed(ProcessId process, ThreadId from, ThreadId to) {
    const auto found = processes_.find(process);
    if (found == processes_.end() || found->second.known) {
        return false;
    }
    InProcess& seen = found->second;
    if (!seen.readers.contains(from) || !seen.readers.contains(to)) {
        return false;
    }
    ++(from == to ? seen.kept : seen.passed);
    if (from != to) {
        seen.gave.insert(from);
        seen.took.insert(to);
        seen.mutual = seen.mutual || seen.gave.contains(to) || seen.took.contains(from);
    }
    seen.known = seen.mutual && seen.passed >= kSeen && seen.passed * kOneIn >= seen.passed + seen.kept;
    return seen.known;
}

}  // namespace timesink::attribute
