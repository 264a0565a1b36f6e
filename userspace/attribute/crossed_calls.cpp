#include "attribute/crossed_calls.hpp"

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// Whether the thread did nothing between but what follows from what it had read. It may have waited for a lock.
bool went_on(const ThreadTimeline& timeline, Instant from, Instant to) {
    const OffCpuSpan* span = timeline.latest_off(to);
    while (span != nullptr && span->off >= from) {
        if (span->blocked() && wait_kind(span->syscall) == WaitKind::poll) {
            return false;
        }
        span = timeline.off_before(*span);
    }
    const SocketCall* call = timeline.next_call(from);
    while (call != nullptr && call->entered < to) {
        if (call->operation == TS_OPERATION_READ && call->result > 0) {
            return false;
        }
        call = timeline.next_call(call->entered + std::chrono::nanoseconds(1));
    }
    return true;
}

}  // namespace

void CrossedCalls::sent(const request::Exchange& exchange, UnitId unit, const Timelines& timelines) {
    judge(exchange.sent_by, exchange.socket, timelines);
    if (unit == UnitId{} || exchange.shared || exchange.engine != nullptr) {
        open_.erase(exchange.sent_by);
        return;
    }
    const Call call{exchange.id, exchange.sent_by, unit, exchange.process};
    open_[exchange.sent_by] = {call, exchange.sent, {}};
    std::vector<Call>& awaited = awaited_[exchange.sent_by];
    if (awaited.size() < kMostAwaited) {
        awaited.push_back(call);
    }
}

void CrossedCalls::answered(const request::Exchange& exchange, UnitId unit) {
    Sent* const open = open_.find(exchange.sent_by);
    const bool latest = open != nullptr && open->call.exchange == exchange.id;
    if (exchange.read_by == exchange.sent_by) {
        woken_by(exchange.sent_by, exchange.id);
        if (latest) {
            open_.erase(exchange.sent_by);
        }
        return;
    }
    if (latest) {
        open->read = exchange.read_end;
    }
    if (unit != UnitId{} && !exchange.shared && exchange.engine == nullptr) {
        Reads& reads = reads_[exchange.read_by];
        reads.kept[reads.next] = {
            {exchange.id, exchange.sent_by, unit, exchange.process}, exchange.read_end, exchange.socket, exchange.read_by};
        reads.next = (reads.next + 1) % kReadsKept;
    }
}

/// What the waker had just read when it ended the wait; null: nothing of others'.
const CrossedCalls::Read* CrossedCalls::latest_read(const event::OffCpu& off, const Timelines& timelines) const {
    const Reads* const reads = reads_.find(off.waker);
    const ThreadTimeline* const reader = timelines.find(off.waker);
    if (reads == nullptr || reader == nullptr) {
        return nullptr;
    }
    const Read* latest = nullptr;
    for (const Read& read : reads->kept) {
        if (read.at != Instant{} && read.at <= off.woken && (latest == nullptr || read.at >= latest->at)) {
            latest = &read;
        }
    }
    return latest != nullptr && went_on(*reader, latest->at, off.woken) ? latest : nullptr;
}

void CrossedCalls::woken(const event::OffCpu& off, bool serves, const Timelines& timelines) {
    const Read* const read = serves ? latest_read(off, timelines) : nullptr;
    if (read == nullptr) {
        return;
    }
    if (read->call.sender == off.thread) {
        woken_by(off.thread, read->call.exchange);
        return;
    }
    const Sent* const open = open_.find(off.thread);
    if (open != nullptr && open->at <= off.off && (open->read == Instant{} || open->read >= off.off)) {
        cross(open->call);
        cross(read->call);
        open_.erase(off.thread);
    } else {
        doubts_[off.thread] = *read;
    }
}

/// The thread that was woken goes on: by now its waker may be seen to have woken the sender, too.
void CrossedCalls::judge(ThreadId woken, SocketId sends_on, const Timelines& timelines) {
    const Read* const doubt = doubts_.find(woken);
    if (doubt == nullptr) {
        return;
    }
    const ThreadTimeline* const sender = timelines.find(doubt->call.sender);
    const ThreadTimeline* const reader = timelines.find(doubt->reader);
    bool told = false;
    const OffCpuSpan* span = sender != nullptr && reader != nullptr ? sender->latest_off(Instant::max()) : nullptr;
    while (!told && span != nullptr && span->on > doubt->at) {
        told = span->blocked() && span->waker == doubt->reader && span->woken >= doubt->at &&
               went_on(*reader, doubt->at, span->woken);
        span = sender->off_before(*span);
    }
    if (!told && sends_on != doubt->socket) {
        cross(doubt->call);
    }
    doubts_.erase(woken);
}

void CrossedCalls::cross(const Call& call) {
    crosses_.insert(call.process);
    crossed_.push_back(call);
}

void CrossedCalls::woken_by(ThreadId sender, ExchangeId reply) {
    if (std::vector<Call>* const awaited = awaited_.find(sender)) {
        std::erase_if(*awaited, [&](const Call& call) { return call.exchange == reply; });
    }
}

void CrossedCalls::ended(const request::Unit& unit, const Timelines& timelines) {
    judge(unit.thread, {}, timelines);
    std::vector<Call>* const awaited = awaited_.find(unit.thread);
    if (awaited == nullptr) {
        return;
    }
    if (crosses_.contains(unit.process)) {
        crossed_.insert(crossed_.end(), awaited->begin(), awaited->end());
    }
    awaited->clear();
}

void CrossedCalls::exited(ThreadId thread) {
    open_.erase(thread);
    reads_.erase(thread);
    doubts_.erase(thread);
    awaited_.erase(thread);
    crosses_.erase(ProcessId{number(thread)});
}

void CrossedCalls::lost() {
    open_ = {};
    reads_ = {};
    doubts_ = {};
    awaited_ = {};
}

}  // namespace timesink::attribute
