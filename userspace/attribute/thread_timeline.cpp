#include "attribute/thread_timeline.hpp"

#include <algorithm>
#include <cerrno>

#include "base/ring_search.hpp"

namespace timesink::attribute {

namespace {

ts_call_class class_of(ts_operation operation) {
    switch (operation) {
        case TS_OPERATION_READ:
            return TS_CLASS_SOCKET_READ;
        case TS_OPERATION_WRITE:
            return TS_CLASS_SOCKET_WRITE;
        default:
            return TS_CLASS_SOCKET_SETUP;
    }
}

request::CallTotals totals_of(const event::Call& call) {
    request::CallTotals totals{.calls = 1, .nanoseconds = static_cast<std::uint64_t>(to_ns(call.exited - call.entered))};
    const bool moves_bytes = call.operation == TS_OPERATION_READ || call.operation == TS_OPERATION_WRITE;
    if (call.result < 0) {
        totals.errors = 1;
    } else if (moves_bytes) {
        totals.bytes = static_cast<std::uint64_t>(call.result);
    }
    return totals;
}

}  // namespace

void ThreadTimeline::on(const event::Call& call) {
    process_ = call.process;
    use_.minor_faults += call.minor_faults;
    use_.major_faults += call.major_faults;
    for (const ts_call_count& part : call.counts) {
        use_.calls[part.call_class] += {part.calls, part.errors, part.nanoseconds, part.bytes};
    }
    latest_ = totals_of(call);
    latest_class_ = class_of(call.operation);
    use_.calls[latest_class_] += latest_;
    keep({call.entered, call.exited, call.socket, call.operation, call.result});
}

void ThreadTimeline::keep(const SocketCall& call) {
    calls_.push_back(call);
    if (calls_.size() > kMaximumKept) {
        known_since_ = std::max(known_since_, calls_.front().exited);
        calls_.pop_front();
    }
}

void ThreadTimeline::executed(ProcessId process, Interval call, SocketId name) {
    process_ = process;
    const Instant free = calls_.empty() ? call.begin : std::max(call.begin, calls_[calls_.size() - 1].exited);
    if (free < call.end) {
        keep({free, call.end, name, TS_OPERATION_READ});
    }
}

void ThreadTimeline::on(const event::OffCpu& off) {
    process_ = off.process;
    off_.push_back({off.off, off.woken, off.on, off.waker, off.waker_syscall, off.syscall, off.state, off.iowait});
    if (off_.size() > kMaximumKept) {
        known_since_ = std::max(known_since_, off_.front().on);
        off_.pop_front();
    }
}

void ThreadTimeline::forget(Instant before) {
    while (!off_.empty() && off_.front().on < before) {
        off_.pop_front();
    }
    while (!calls_.empty() && calls_.front().exited < before) {
        calls_.pop_front();
    }
}

void ThreadTimeline::use_before_call(ThreadUse& use) const {
    use = use_;
    use.calls[latest_class_] -= latest_;
}

const OffCpuSpan* ThreadTimeline::latest_off(Instant at) const {
    const std::size_t before = count_front_near(off_, found_off_, [at](const OffCpuSpan& span) { return span.off < at; });
    return before == 0 ? nullptr : &off_[before - 1];
}

const SocketCall* ThreadTimeline::call_around(const OffCpuSpan& span) const {
    const std::size_t found =
        count_front_near(calls_, found_call_, [&](const SocketCall& call) { return call.exited < span.on; });
    return found != calls_.size() && calls_[found].entered <= span.off ? &calls_[found] : nullptr;
}

const SocketCall* ThreadTimeline::next_call(Instant at) const {
    const std::size_t found = count_front_near(calls_, found_call_, [at](const SocketCall& call) { return call.entered < at; });
    return found != calls_.size() ? &calls_[found] : nullptr;
}

const SocketCall* ThreadTimeline::latest_call(Instant at) const {
    return calls_before(at).latest_call(at);
}

ThreadTimeline::CallsBack ThreadTimeline::calls_before(Instant at) const {
    return {calls_, count_front_near(calls_, found_call_, [at](const SocketCall& call) { return call.exited <= at; })};
}

const SocketCall* ThreadTimeline::latest_write(SocketId socket, Instant at) const {
    constexpr std::size_t kMostLookedAt = 64;
    const std::size_t returned = calls_.count_front([at](const SocketCall& call) { return call.exited <= at; });
    for (std::size_t i = 0; i < std::min(returned, kMostLookedAt); ++i) {
        const SocketCall& call = calls_[returned - 1 - i];
        if (call.socket == socket && call.operation == TS_OPERATION_WRITE) {
            return &call;
        }
    }
    return nullptr;
}

bool may_have_filled(const SocketCall& write) {
    constexpr std::int64_t kFullWrite = std::int64_t{16} * 1024;
    return write.result >= kFullWrite || write.result == -EAGAIN;
}

ThreadTimeline::Absence ThreadTimeline::absence(Interval interval) const {
    const auto overlap = [&](Instant begin, Instant end) {
        return std::max(Duration{}, std::min(end, interval.end) - std::max(begin, interval.begin));
    };
    Absence absence;
    std::size_t at = count_front_near(off_, found_off_, [&](const OffCpuSpan& span) { return span.on < interval.begin; });
    for (; at != off_.size() && off_[at].off < interval.end; ++at) {
        const OffCpuSpan& span = off_[at];
        absence.off += overlap(span.off, span.on);
        absence.runnable += overlap(span.woken, span.on);
    }
    return absence;
}

ThreadTimeline& Timelines::of(ThreadId thread) {
    std::unique_ptr<ThreadTimeline>& timeline = threads_[thread];
    if (!timeline) {
        timeline = std::make_unique<ThreadTimeline>();
    }
    return *timeline;
}

void Timelines::exited(ThreadId thread, Instant at) {
    if (threads_.find(thread) != nullptr) {
        gone_[thread] = at;
    }
}

void Timelines::forget(Instant before) {
    threads_.for_each([before](ThreadId, const std::unique_ptr<ThreadTimeline>& timeline) { timeline->forget(before); });
    // An id may be given to a new thread at once; a timeline that went on after the exit belongs to that one.
    for (auto gone = gone_.begin(); gone != gone_.end();) {
        if (gone->second >= before) {
            ++gone;
            continue;
        }
        const ThreadTimeline* const timeline = find(gone->first);
        if (timeline != nullptr && timeline->latest_off(Instant::max()) == nullptr && timeline->next_call(Instant{}) == nullptr) {
            threads_.erase(gone->first);
        }
        gone = gone_.erase(gone);
    }
}

const ThreadTimeline* Timelines::find(ThreadId thread) const {
    const std::unique_ptr<ThreadTimeline>* const found = threads_.find(thread);
    return found == nullptr ? nullptr : found->get();
}

}  // namespace timesink::attribute
