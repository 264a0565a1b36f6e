#include "attribute/owners.hpp"

#include <algorithm>

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

namespace {

/// A wake-up by the unit's thread is nearly always the hand-over of its work; it may be the release of a lock (the GIL) for which
/// a background thread happened to wait.
constexpr double kHandOffMargin = 0.9;

/// The only unit in flight of a process whose threads tell nothing: a goroutine that an earlier one left behind may have sent it.
constexpr double kAloneMargin = 0.9;

/// Processes without a unit are kept for their memory, up to so many.
constexpr std::size_t kMostIdleProcesses = 256;

constexpr Duration kShortestDoubt = std::chrono::seconds(1);
constexpr Duration kLongestDoubt = std::chrono::seconds(60);

}  // namespace

void Owners::began(LiveUnit& live) {
    Line& line = lines_[live.unit.socket];
    // Asked again while the one before has no end: it is pipelined, or the end was lost.
    while (line.first != nullptr && line.first->touched_by_loss) {
        leave(*line.first, live.unit.read_begin);
        advance(line);
    }
    if (line.first == nullptr) {
        line.first = &live;
        activate(live, live.unit.read_begin);
    } else {
        line.behind.push_back(&live);
    }
}

/// The next of the line is its first.
void Owners::advance(Line& line) {
    line.first = nullptr;
    if (!line.behind.empty()) {
        line.first = line.behind.front();
        line.behind.erase(line.behind.begin());
    }
}

void Owners::share(const std::vector<LiveUnit*>& active, Instant at) {
    for (LiveUnit* live : active) {
        if (!live->sharing) {
            live->sharing = true;
            live->shared.push_back({std::max(at, live->unit.read_begin), Instant::max()});
        }
    }
}

/// A thread that serves one unit at a time and reads another has ended the one before: that end was lost.
void Owners::give_up_stale(OnThread& thread) {
    if (thread.multiplexes) {
        return;
    }
    const std::vector<LiveUnit*> active = thread.active;
    for (LiveUnit* live : active) {
        if (live->touched_by_loss) {
            leave(*live, live->unit.read_begin);
        }
    }
}

/// It reads a request. A thread that waits for each of its replies has done then with what it did before, even if the request was
/// there already and it did not wait in between: at the attach it was serving one whose begin had not been seen. An event loop
/// reads requests whenever they come.
void Owners::end_background(OnThread& thread) {
    const bool one_at_a_time = thread.waits_for_one && !thread.waits_for_many && !thread.multiplexes;
    if (one_at_a_time && thread.background == 0) {
        thread.background_may_go_on = thread.background_in_doubt = false;
    }
}

void Owners::activate(LiveUnit& live, Instant at) {
    live.activated = at;
    live.lane = lane(live.unit.process, live.unit.thread);
    OnThread& thread = threads_[live.lane];
    thread.multiplexes = thread.multiplexes || !threads_tell(live.unit.process);
    give_up_stale(thread);
    end_background(thread);
    std::vector<LiveUnit*>& on_thread = thread.active;
    on_thread.push_back(&live);
    if (on_thread.size() > 1) {
        thread.multiplexes = true;
        share(on_thread, at);
    }
    InProcess& in_process = processes_[live.unit.process];
    in_process.push_back(&live);
    if (in_process.size() > 1) {
        for (LiveUnit* other : in_process) {
            other->alone = false;
        }
    }
}

void Owners::ended(LiveUnit& live, Instant at) {
    longest_unit_ = std::max(longest_unit_, at - live.unit.begin);
    leave(live, at);
    Line* const line = lines_.find(live.unit.socket);
    if (line == nullptr) {
        return;
    }
    if (line->first != &live) {
        std::erase(line->behind, &live);
        return;
    }
    advance(*line);
    if (line->first != nullptr) {
        activate(*line->first, at);
    } else {
        lines_.erase(live.unit.socket);
    }
}

/// It is no longer in flight.
void Owners::leave(LiveUnit& live, Instant at) {
    std::vector<LiveUnit*>& on_thread = threads_[live.lane].active;
    std::erase(on_thread, &live);
    live.sharing = false;  // its last shared stretch stays open: it lasted to the unit's end
    if (on_thread.size() == 1 && on_thread.front()->sharing) {
        on_thread.front()->sharing = false;
        on_thread.front()->shared.back().end = at;
    }
    InProcess& in_process = processes_[live.unit.process];
    std::erase(in_process, &live);
    if (in_process.empty() && processes_.size() > kMostIdleProcesses) {
        processes_.erase(live.unit.process);
    }
}

Owner Owners::of(const request::Exchange& exchange, const Timelines& timelines, bool context_certain) {
    const ThreadId sender = lane(exchange.process, exchange.sent_by);
    OnThread& thread = threads_[sender];
    const bool doubted = (in_doubt(exchange.sent) || thread.background_in_doubt) && !context_certain;
    const bool tells = threads_tell(exchange.process);
    // Those that were read before it was known that threads do not tell are on their own.
    const bool one = thread.active.size() == 1 && (tells || alone_in(exchange.process));
    // What nobody waits for may have been put aside by a unit that is over by now, as loops write in a later turn.
    const bool loop = thread.multiplexes || (thread.waits_for_many && !thread.waits_for_one);
    if (exchange.one_way && loop && !context_certain) {
        return {{}, Evidence::ambiguous, 0};
    }
    // Told of when it was over: who was in flight when it began may be gone, and others have come.
    const bool afterwards = exchange.read_end != Instant{};
    if (afterwards && (!one || thread.active.front()->activated > exchange.sent)) {
        const InProcess* const others = processes_.find(exchange.process);
        return others == nullptr || others->empty() ? Owner{} : Owner{{}, Evidence::ambiguous, 0};
    }
    if (one && !thread.background_may_go_on && !(thread.multiplexes && doubted)) {
        const UnitId only = thread.active.front()->unit.id;
        return tells ? Owner{only, Evidence::thread, 1} : Owner{only, Evidence::inferred, kAloneMargin};
    }
    if (!thread.active.empty()) {
        for (LiveUnit* live : thread.active) {
            // Had nothing been lost, it might be known whose this is: the unit is left out rather than shown without it.
            live->misses_messages = live->misses_messages || doubted;
        }
        share(thread.active, exchange.sent);  // someone else may be at work here, unseen
        return {{}, Evidence::ambiguous, 0};
    }
    const InProcess* const process = processes_.find(exchange.process);
    if (process != nullptr && !process->empty()) {
        const InProcess& active = *process;
        Search search{timelines};
        if (active.size() == 1 && handed_off(*active.front(), exchange.sent_by, exchange.sent, search)) {
            return {active.front()->unit.id, Evidence::inferred, kHandOffMargin};
        }
        return {{}, Evidence::ambiguous, 0};
    }
    if (exchange.one_way || (exchange.housekeeping && exchange.fingerprint == 0)) {
        return {};  // the driver's own doing, such as asking whether a connection still lives: no job that may go on
    }
    ++thread.background;
    thread.background_may_go_on = true;
    thread.background_in_doubt = thread.background_in_doubt || in_doubt(exchange.sent);
    background_[exchange.id] = sender;
    return {};
}

bool Owners::alone_in(ProcessId process) const {
    const InProcess* const found = processes_.find(process);
    return found != nullptr && found->size() == 1;
}

/// Woken by the unit's own thread since the unit began, or by one that was, and so on: a reactor hands a request to a worker,
/// which asks by a client that has a thread of its own. Later waits of a helper (for replies) do not undo it.
bool Owners::handed_off(const LiveUnit& live, ThreadId helper, Instant at, Search& search) {
    const ThreadTimeline* timeline = search.timelines.find(helper);
    if (timeline == nullptr || timeline->process() != live.unit.process) {
        return false;
    }
    --search.steps;
    const OffCpuSpan* span = timeline->latest_off(at);
    bool found = false;
    while (!found && span != nullptr && span->on >= live.unit.read_begin && search.looks > 0) {
        --search.looks;
        const bool told = span->blocked() && span->waker_syscall >= 0 && span->woken >= live.unit.read_begin;
        found = told && (span->waker == live.unit.thread ||
                         (span->waker != helper && search.steps > 0 && handed_off(live, span->waker, span->woken, search)));
        span = timeline->off_before(*span);
    }
    ++search.steps;
    return found;
}

void Owners::answered(const request::Exchange& exchange) {
    const ThreadId* const found = background_.find(exchange.id);
    if (found == nullptr) {
        return;
    }
    OnThread& thread = threads_[*found];
    thread.background -= std::min<std::size_t>(thread.background, 1);
    background_.erase(exchange.id);
}

bool Owners::serves(ThreadId thread) const {
    const OnThread* const found = threads_.find(thread);
    return found != nullptr && !found->active.empty();
}

bool Owners::serves_elsewhere(ProcessId process, ThreadId thread) const {
    const InProcess* const found = processes_.find(process);
    return found != nullptr &&
           std::any_of(found->begin(), found->end(), [&](const LiveUnit* live) { return live->lane != lane(process, thread); });
}

UnitId Owners::alone_on(ThreadId thread) const {
    const OnThread* const found = threads_.find(thread);
    // An event loop reads for many; whom it works for when it wakes another is not told by what is in flight then.
    const bool one = found != nullptr && !found->multiplexes && found->active.size() == 1;
    return one ? found->active.front()->unit.id : UnitId{};
}

void Owners::lost(Instant at) {
    in_doubt_until_ = std::max(in_doubt_until_, at + std::clamp(longest_unit_, kShortestDoubt, kLongestDoubt));
    // The answers may be among what was lost.
    background_.for_each([&](ExchangeId, ThreadId sender) {
        threads_[sender].background = 0;
        threads_[sender].background_in_doubt = true;
    });
    background_ = {};
}

void Owners::waited(ProcessId process, ThreadId thread, std::int16_t syscall) {
    OnThread& waiting = threads_[lane(process, thread)];
    const WaitKind kind = wait_kind(syscall);
    const bool many = waits_in_epoll(syscall);
    waiting.waits_for_many = waiting.waits_for_many || many;
    waiting.waits_for_one = waiting.waits_for_one || kind == WaitKind::socket || (kind == WaitKind::poll && !many);
    if (waiting.background_may_go_on && waiting.background == 0) {
        waiting.background_may_go_on = waiting.background_in_doubt = false;
    }
}

}  // namespace timesink::attribute
