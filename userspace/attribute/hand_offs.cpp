#include "attribute/hand_offs.hpp"

#include <algorithm>

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

constexpr double kBothEnds = 0.95;
constexpr double kRightEnd = 0.85;

/// Words are those of a process.
std::uint64_t word_of(ProcessId process, std::int32_t address) {
    return std::uint64_t{number(process)} << 32U | static_cast<std::uint32_t>(address);
}

/// A thread's end wakes those who join it (set_tid_address(2)).
bool is_wake(std::int16_t syscall) {
    constexpr std::int16_t kExit = 60;
    return syscall == kExit || (syscall >= 0 && wait_kind(syscall) == WaitKind::futex);
}

}  // namespace

void HandOffs::note(ThreadId thread, const Step& step) {
    std::deque<Step>& past = past_[thread];
    if (past.empty() || past.back().at <= step.at) {
        past.push_back(step);  // mostly
    } else {
        const auto place =
            std::upper_bound(past.begin(), past.end(), step.at, [](Instant at, const Step& each) { return at < each.at; });
        past.insert(place, step);
    }
    if (past.size() > kMostKept) {
        past.pop_front();
    }
}

/// Whether a wake-up at this word says who works for whom.
bool HandOffs::tells(std::uint64_t word) const {
    if (word == 0) {
        return true;
    }
    const auto found = words_.find(word);
    return found != words_.end() && !(found->second.several && found->second.by_serving && found->second.by_helpers);
}

bool HandOffs::tells(const event::OffCpu& off) const {
    return off.woken > off.off && off.syscall >= 0 && wait_kind(off.syscall) == WaitKind::futex && off.fd != -1 &&
           off.waker != off.thread && is_wake(off.waker_syscall) && tells(word_of(off.process, off.fd));
}

void HandOffs::on(const event::OffCpu& off, const Owners& serving) {
    if (off.woken <= off.off || off.syscall < 0) {
        return;
    }
    if (waits_in_epoll(off.syscall)) {
        note_loop(off.thread);
    }
    if (wait_kind(off.syscall) != WaitKind::futex || off.fd == -1) {
        return;
    }
    const std::uint64_t word = word_of(off.process, off.fd);
    const bool waiter_serves = serving.serves(off.thread);
    if (words_.size() >= kMostWords) {
        words_.clear();
    }
    Word& known = words_[word];
    known.several = known.several || (known.waiter != ThreadId{} && known.waiter != off.thread);
    known.waiter = off.thread;
    (waiter_serves ? known.by_serving : known.by_helpers) = true;
    if (off.waker == off.thread || !is_wake(off.waker_syscall) || processes_.find(off.process) == processes_.end()) {
        return;
    }
    const bool waker_serves = serving.serves(off.waker);
    if (!waiter_serves) {
        note(off.thread, {.at = off.woken, .kind = Kind::woken, .unit = serving.alone_on(off.waker), .word = word});
    } else if (!waker_serves) {
        note(off.waker, {.at = off.woken,
                         .kind = Kind::woke,
                         .unit = serving.alone_on(off.thread),
                         .word = word,
                         .since = off.off,
                         .other = off.thread});
    }
}

/// It waits for whatever comes. If what it sent last has not been answered, it is a loop that serves many.
void HandOffs::note_loop(ThreadId thread) {
    const auto found = past_.find(thread);
    if (found == past_.end() || loops_.contains(thread)) {
        return;
    }
    const auto sent =
        std::find_if(found->second.rbegin(), found->second.rend(), [](const Step& step) { return step.kind == Kind::sent; });
    if (sent != found->second.rend() && sent->read == Instant{}) {
        loops_.insert(thread);
    }
}

void HandOffs::on(const event::Task& task, const Owners& serving) {
    if (task.operation == TS_TASK_EXIT) {
        gone_.push_back(task.thread);
        if (gone_.size() > kMostGone) {
            forget_gone();
        }
    } else if (task.operation == TS_TASK_FORK && task.process == task.parent_process) {
        note(task.thread, {.at = task.at, .kind = Kind::woken, .unit = serving.alone_on(task.parent_thread)});
    }
}

void HandOffs::forget_gone() {
    for (const ThreadId thread : gone_) {
        past_.erase(thread);
        loops_.erase(thread);
    }
    gone_.clear();
}

void HandOffs::began(const LiveUnit& live) {
    processes_[live.unit.process].active.emplace(live.unit.read_begin, live.unit.id);
}

void HandOffs::saw(const request::Exchange& exchange) {
    if (processes_.find(exchange.process) != processes_.end()) {
        note(exchange.sent_by, {.at = exchange.sent, .kind = Kind::sent, .exchange = exchange.id, .socket = exchange.socket});
    }
}

void HandOffs::sent(const request::Exchange& exchange, std::vector<Decision>& decisions) {
    std::vector<Waiting>& waiting = processes_[exchange.process].waiting;
    waiting.push_back({exchange.id, exchange.sent_by, exchange.sent});
    if (waiting.size() > kMostWaiting) {
        decisions.push_back({waiting.front().exchange, {{}, Evidence::ambiguous, 0}});
        waiting.erase(waiting.begin());
    }
}

void HandOffs::answered(const request::Exchange& exchange) {
    const auto found = past_.find(exchange.sent_by);
    if (found == past_.end()) {
        return;
    }
    for (auto step = found->second.rbegin(); step != found->second.rend(); ++step) {
        if (step->exchange == exchange.id) {
            step->arrived = exchange.arrived;
            step->read = exchange.read_end;
            return;
        }
    }
}

bool HandOffs::sends_at_once(const Step& woke, const Timelines& timelines) const {
    const auto found = past_.find(woke.other);
    const ThreadTimeline* const timeline = timelines.find(woke.other);
    if (found == past_.end() || timeline == nullptr) {
        return false;
    }
    for (const Step& step : found->second) {
        if (step.kind == Kind::sent && step.at >= woke.at) {
            const Interval between{woke.at, step.at};
            return between.length() - timeline->absence(between).off <= kTakingAConnection;
        }
    }
    return false;
}

/// Whose thread woke the helper for what it was at in that step; zero: not known.
UnitId HandOffs::left_of(const std::deque<Step>& past, std::size_t at) const {
    while (at > 0) {
        const Step& step = past[--at];
        if (step.kind == Kind::wrote || (tells(step.word) && step.kind == Kind::woke)) {
            return {};  // the task before this one
        }
        if (step.kind == Kind::woken && tells(step.word)) {
            return step.unit;
        }
    }
    return {};
}

/// How sure it is that the exchange is this unit's; 0: not at all. The table in the header.
double HandOffs::margin(const Waiting& waiting, UnitId unit, const Timelines& timelines) const {
    const auto found = past_.find(waiting.thread);
    if (found == past_.end()) {
        return 0;
    }
    const std::deque<Step>& past = found->second;
    const auto own = std::find_if(past.begin(), past.end(), [&](const Step& step) { return step.exchange == waiting.exchange; });
    if (own == past.end()) {
        return 0;
    }
    const UnitId left = left_of(past, static_cast<std::size_t>(own - past.begin()));
    const Step* last = &*own;
    bool one_connection = true;
    bool wrote = false;
    bool doubt = false;
    Instant woke{};
    std::set<UnitId> right;
    for (auto step = std::next(own); step != past.end(); ++step) {
        if (step->kind == Kind::sent) {
            if (!right.empty()) {
                break;
            }
            one_connection = one_connection && step->socket == own->socket;
            last = &*step;
        } else if (step->kind == Kind::wrote) {
            right.insert(step->unit);
            wrote = true;
            break;
        } else if (!tells(step->word)) {
            continue;
        } else if (step->kind == Kind::woken) {
            break;  // the task after this one
        } else if (sends_at_once(*step, timelines)) {
            doubt = true;
        } else if (own->arrived != Instant{} && step->at >= own->arrived && step->since <= own->arrived) {
            right.insert(step->unit);
            woke = std::max(woke, step->at);
        }
    }
    if (right.size() != 1 || right.count(unit) == 0 || (left != UnitId{} && left != unit)) {
        return 0;
    }
    if (wrote) {
        return loops_.contains(waiting.thread) ? 0 : kBothEnds;
    }
    const ThreadTimeline* const timeline = timelines.find(waiting.thread);
    const Interval finishing{last->read, std::max(last->read, woke)};
    if (doubt || timeline == nullptr || last->read == Instant{} ||
        finishing.length() - timeline->absence(finishing).off > kFinishing) {
        return 0;
    }
    if (left == unit) {
        return one_connection ? kBothEnds : 0;
    }
    return last == &*own ? kRightEnd : 0;
}

void HandOffs::ended(const LiveUnit& live, const Timelines& timelines, std::vector<Decision>& decisions) {
    const auto found = processes_.find(live.unit.process);
    if (found == processes_.end()) {
        return;
    }
    InProcess& process = found->second;
    process.active.erase({live.unit.read_begin, live.unit.id});
    if (live.unit.answered_by != live.unit.thread && live.unit.first_response != Instant{}) {
        note(live.unit.answered_by, {.at = live.unit.first_response, .kind = Kind::wrote, .unit = live.unit.id});
    }
    const Instant oldest = process.active.empty() ? Instant::max() : process.active.begin()->first;
    std::erase_if(process.waiting, [&](const Waiting& waiting) {
        if (waiting.sent < live.unit.read_begin || live.unit.exclusion == request::Exclusion::loss) {
            // not in its time, or what is known of its time is not all
        } else if (const double sure = margin(waiting, live.unit.id, timelines); sure > 0) {
            decisions.push_back({waiting.exchange, {live.unit.id, Evidence::inferred, sure}});
            return true;
        }
        if (waiting.sent < oldest) {
            decisions.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
            return true;
        }
        return false;
    });
    if (process.active.empty() && process.waiting.empty()) {
        processes_.erase(found);
    }
    if (processes_.empty()) {
        forget_gone();
    }
}

void HandOffs::lost() {
    past_.clear();
    words_.clear();
}

void HandOffs::finish(std::vector<Decision>& decisions) {
    for (auto& [id, process] : processes_) {
        for (const Waiting& waiting : process.waiting) {
            decisions.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
        }
    }
    processes_.clear();
}

}  // namespace timesink::attribute
