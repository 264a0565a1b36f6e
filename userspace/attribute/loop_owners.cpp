#include "attribute/loop_owners.hpp"

#include <algorithm>
#include <iterator>

namespace timesink::attribute {

namespace {

constexpr std::size_t kMostPrograms = 64;
constexpr std::size_t kMostProcesses = 65536;

/// epoll_wait and its like since the record before, of which `told` are known already. A close may be preceded by an epoll_ctl of
/// its own.
bool waited(const event::Call& call, std::uint32_t told) {
    return call.operation != TS_OPERATION_CLOSE &&
           std::any_of(call.counts.begin(), call.counts.end(),
                       [&](const ts_call_count& count) { return count.call_class == TS_CLASS_POLL && count.calls > told; });
}

/// epoll_wait, epoll_pwait, epoll_pwait2 on x86-64.
bool waits_for_events(std::int16_t syscall) {
    return syscall == 232 || syscall == 281 || syscall == 441;
}

/// Its execution follows: the two are one thing that was asked.
bool prepares(const request::Exchange& exchange) {
    return exchange.housekeeping && exchange.operation == "PREPARE" && exchange.fingerprint != 0;
}

/// Prepared before the attach: its name is all that is known, and ends in a number that a driver has counted on this connection
/// (mysql2, postgres.js, Vert.x, pgjdbc). Names that programs give mean the same on every connection.
bool is_nameless(const request::Exchange& exchange) {
    return exchange.statement.starts_with("EXECUTE ") && exchange.statement.back() >= '0' && exchange.statement.back() <= '9';
}

/// The connection stays with whoever sent this: it is in a transaction, or the server is not ready for another's (a statement
/// that was described ahead of its execution, as postgres.js does).
bool stays(const request::Exchange& exchange) {
    const bool ready = exchange.protocol != "postgresql" ||
                       std::any_of(exchange.attributes.begin(), exchange.attributes.end(),
                                   [](const auto& attribute) { return attribute.first == "postgresql.transaction"; });
    return exchange.complete && (exchange.in_transaction || !ready);
}

/// Callers queue for the connections of a database's pool. Clients of HTTP open as many as they need.
bool may_wait(const request::Exchange& exchange) {
    return exchange.protocol != "http";
}

}  // namespace

void LoopOwners::on(const event::Call& call) {
    Loop** const found = by_thread_.find(call.thread);
    if (found == nullptr) {
        return;
    }
    Loop& loop = **found;
    const bool boundary = waited(call, loop.polls);
    loop.polls = 0;
    const bool reads =
        (call.operation == TS_OPERATION_READ && (call.flags & TS_CALL_PEEK) == 0) || call.operation == TS_OPERATION_ACCEPT;
    if (boundary) {
        end_turn(loop, reads ? call.exited : call.entered);
    } else if (reads) {
        close_segment(loop, false);
        loop.segment.at = call.exited;
    }
    loop.latest = call.exited;
    if (call.operation == TS_OPERATION_CONNECT) {
        loop.segment.acts.push_back({.kind = infer::Act::Kind::connect, .connection = call.socket, .at = call.entered});
    } else if (call.operation == TS_OPERATION_CLOSE) {
        loop.simulation.closed(call.socket);
        loop.strangers.closed(call.socket);
    }
}

/// Blocked in a wait for events. A second one without a call in between: a turn of which nothing else is seen.
void LoopOwners::on(const event::OffCpu& off) {
    Loop** const found = by_thread_.find(off.thread);
    if (found == nullptr || off.woken <= off.off || !waits_for_events(off.syscall)) {
        return;
    }
    Loop& loop = **found;
    loop.waits_for_many = true;
    if (loop.waited_until != Instant{}) {
        end_turn(loop, loop.waited_until);
        close_segment(loop, true, off.off);
        loop.segment.at = loop.segment.turn_begin = off.on;
        loop.segment.waited = true;
        loop.turn_ended = true;
    } else {
        loop.went_to_wait = off.off;
    }
    loop.waited_until = off.on;
}

void LoopOwners::tells_phases(ProcessId process, infer::Phases phases) {
    phases_[process] = phases;
    for (auto& [thread, loop] : loops_) {
        if (loop->process == process) {
            loop->simulation.told(phases);
        }
    }
}

/// What runs now was caused by no read: it gets a segment of its own.
void LoopOwners::on(const event::LoopPhase& phase) {
    Loop** const found = by_thread_.find(phase.thread);
    if (found == nullptr) {
        return;
    }
    Loop& loop = **found;
    if (phase.polls > loop.polls || loop.waited_until != Instant{}) {
        end_turn(loop, phase.at);
    }
    loop.polls = phase.polls;
    if (phase.phase == TS_LOOP_IMMEDIATE) {
        loop.segment.immediate_set_at = phase.at;
    } else {
        loop.segment.immediates = true;  // run before timers do
        close_segment(loop, false);
        loop.segment.at = phase.at;
        loop.segment.timers = true;
    }
    loop.latest = phase.at;
}

/// The thread has come back from a wait.
void LoopOwners::end_turn(Loop& loop, Instant at) {
    if (!loop.turn_ended) {
        close_segment(loop, true, loop.went_to_wait);
    }
    loop.turn_ended = false;
    loop.segment.waited = loop.waited_until != Instant{};
    loop.segment.turn_begin = loop.waited_until != Instant{} ? loop.waited_until : at;
    loop.segment.at = at;
    loop.waited_until = loop.went_to_wait = {};
}

/// The simulation gets a turn as a whole, for some of what its end wrote belongs to its earlier segments.
void LoopOwners::close_segment(Loop& loop, bool last, Instant end) {
    constexpr std::size_t kLongestTurn = 1024;
    infer::Segment& segment = loop.segment;
    segment.last = last;
    segment.immediates = segment.immediates || (last && !segment.timers);
    segment.end = std::max(loop.latest, end);
    if (!segment.stimuli.empty() || !segment.acts.empty() || segment.immediates || segment.timers ||
        segment.immediate_set_at != Instant{}) {
        loop.turn.push_back(segment);
    }
    infer::Segment next;
    next.at = segment.at;
    next.turn_begin = segment.turn_begin;
    next.waited = segment.waited;
    segment = std::move(next);
    if (!last && loop.turn.size() < kLongestTurn) {
        return;
    }
    if (runs_queue(loop)) {
        give_up(loop);
        return;
    }
    learn_manners(loop);
    mark_late(loop);
    for (const infer::Segment& each : loop.turn) {
        loop.simulation.on(each);
        if (loop.simulation.derailed()) {
            loop.simulation.lost(loop.active);
        }
    }
    loop.turn.clear();
    collect(loop);
    rest(loop);
}

namespace {

/// Where the turn's immediates write.
std::size_t late_segment(const std::vector<infer::Segment>& turn) {
    const auto found = std::find_if(turn.begin(), turn.end(), [](const infer::Segment& each) { return each.immediates; });
    return found != turn.end() ? static_cast<std::size_t>(found - turn.begin()) : turn.size() - 1;
}

/// The latest segment before `until` that read a reply on this connection; `until`: none.
std::size_t freed_in(const std::vector<infer::Segment>& turn, std::size_t until, SocketId connection) {
    for (std::size_t i = until; i-- > 0;) {
        const auto& stimuli = turn[i].stimuli;
        if (std::any_of(stimuli.begin(), stimuli.end(), [&](const infer::Stimulus& stimulus) {
                return stimulus.unit == UnitId{} && stimulus.connection == connection;
            })) {
            return i;
        }
    }
    return until;
}

}  // namespace

void LoopOwners::learn_manners(Loop& loop) {
    const std::size_t last = late_segment(loop.turn);
    for (std::size_t i = 0; i <= last; ++i) {
        for (const infer::Act& act : loop.turn[i].acts) {
            if (act.kind != infer::Act::Kind::statement) {
                continue;
            }
            if (i < last) {
                ++loop.manners[act.pool].direct;
            } else if (freed_in(loop.turn, last, act.connection) < last) {
                ++loop.manners[act.pool].late;
            }
        }
    }
}

namespace {

/// A driver that pipelines and gathers what it is asked (postgres.js) gives each question to the next connection in turn, and
/// each connection writes all of its own in one call: the first of each were asked first, then the second.
void in_order_of_asking(std::vector<infer::Act>& acts) {
    struct Asked {
        std::size_t place = 0;
        std::size_t rank = 0;  // among those of one call
    };
    std::vector<Asked> asked;
    for (std::size_t i = 0; i < acts.size(); ++i) {
        if (acts[i].kind != infer::Act::Kind::statement || !acts[i].late) {
            continue;
        }
        const auto same = std::count_if(asked.begin(), asked.end(), [&](const Asked& each) {
            return acts[each.place].connection == acts[i].connection && acts[each.place].at == acts[i].at;
        });
        asked.push_back({i, static_cast<std::size_t>(same)});
    }
    std::vector<Asked> ordered = asked;
    std::stable_sort(ordered.begin(), ordered.end(), [](const Asked& a, const Asked& b) { return a.rank < b.rank; });
    const std::vector<infer::Act> before = acts;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        acts[asked[i].place] = before[ordered[i].place];
    }
}

}  // namespace

/// Says which writes come late because their driver gathers them.
void LoopOwners::mark_late(Loop& loop) {
    for (infer::Act& act : loop.turn[late_segment(loop.turn)].acts) {
        const auto manner = loop.manners.find(act.pool);
        act.late = act.kind == infer::Act::Kind::statement && manner != loop.manners.end() && manner->second.is_late();
    }
    in_order_of_asking(loop.turn[late_segment(loop.turn)].acts);
}

/// Where the runtime tells what it puts off, nothing else is: what comes late there is of a driver's doing.
bool LoopOwners::runs_queue(Loop& loop) const {
    if (phases_.find(loop.process) == nullptr) {
        loop.queue.learn(loop.turn);
    }
    return loop.queue.is_known();
}

/// What it has done so far, or all that it does, is not told apart.
void LoopOwners::give_up(Loop& loop) {
    loop.turn.clear();
    loop.simulation.lost(loop.active);
    collect(loop);
    for (const Waiting& waiting : loop.waiting) {
        decisions_.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
    }
    loop.waiting.clear();
}

/// Nothing is in flight: whatever was in doubt is over.
void LoopOwners::rest(Loop& loop) {
    if (loop.active.empty() && loop.in_flight == 0) {
        loop.simulation.quiet();
        collect(loop);
    }
}

void LoopOwners::collect(Loop& loop) {
    for (const infer::Verdict& verdict : loop.simulation.take()) {
        Owner owner;
        const bool certain = verdict.unit != UnitId{} && verdict.margin >= kCertain;
        owner.unit = certain ? verdict.unit : UnitId{};
        owner.evidence = certain ? Evidence::inferred : Evidence::ambiguous;
        owner.margin = verdict.margin;
        owner.grounds = {verdict.unit, verdict.runner_up, verdict.runner_up_margin, verdict.reason, verdict.cause};
        owner.candidates = verdict.candidates;
        const auto waiting = std::lower_bound(loop.waiting.begin(), loop.waiting.end(), verdict.exchange,
                                              [](const Waiting& each, ExchangeId id) { return each.exchange < id; });
        if (waiting != loop.waiting.end() && waiting->exchange == verdict.exchange) {
            loop.waiting.erase(waiting);
            decisions_.push_back({verdict.exchange, owner});
        }
    }
}

void LoopOwners::runs(ProcessId process, std::string program) {
    if (program_names_.size() < kMostProcesses || program_names_.contains(process)) {
        program_names_[process] = std::move(program);
    }
}

LoopProgram& LoopOwners::program_of(ProcessId process) {
    const auto named = program_names_.find(process);
    // A command line has no such begin. What comes when there are too many is as good as one program.
    std::string name = named != program_names_.end() ? named->second : '\n' + std::to_string(number(process));
    name = programs_.size() < kMostPrograms || programs_.contains(name) ? name : "";
    return programs_.try_emplace(std::move(name), given_).first->second;
}

std::vector<RouteModel> LoopOwners::models() const {
    std::vector<RouteModel> models;
    for (const auto& [name, program] : programs_) {
        std::vector<RouteModel> learned = program.models();
        std::move(learned.begin(), learned.end(), std::back_inserter(models));
    }
    return models;
}

void LoopOwners::began(const request::Unit& unit) {
    Loop** const known = by_thread_.find(unit.thread);
    Loop* loop = known != nullptr ? *known : nullptr;
    if (loop == nullptr) {
        std::unique_ptr<Loop>& made = loops_[unit.thread];
        made = std::make_unique<Loop>(program_of(unit.process));
        loop = made.get();
        loop->process = unit.process;
        if (const infer::Phases* const told = phases_.find(unit.process)) {
            loop->simulation.told(*told);
        }
        by_thread_[unit.thread] = loop;
        loop->segment.at = loop->segment.turn_begin = loop->latest = unit.read_begin;
    }
    loop->active.push_back(unit.id);
    loop->newest = unit.id;
    runs_on_[unit.id] = loop;
    const LoopProgram::Route route = loop->program.route(unit.method + ' ' + unit.route);
    loop->segment.stimuli.push_back({.unit = unit.id, .route = route.stands_for, .named = route.named});
}

void LoopOwners::ended(const request::Unit& unit) {
    Loop** const found = runs_on_.find(unit.id);
    if (found == nullptr) {
        return;
    }
    Loop& loop = **found;
    runs_on_.erase(unit.id);
    std::erase(loop.active, unit.id);
    const auto kind = unit.complete ? infer::Act::Kind::response : infer::Act::Kind::abandoned;
    loop.segment.acts.push_back({.kind = kind, .unit = unit.id, .at = unit.end});
}

/// Threads that are no loops may have read what is left of earlier doings of theirs: it says nothing of what they do next.
infer::Sender LoopOwners::sender_of(Loop& loop, const infer::Act& act, const Owner& owner) const {
    const Strangers::Sent what{.exchange = act.exchange,
                               .connection = act.connection,
                               .pool = act.pool,
                               .may_wait = act.may_wait,
                               .nobodys = owner.evidence == Evidence::none,
                               .certain = act.certain,
                               .latest = loop.newest};
    const infer::Phases* const told = phases_.find(loop.process);
    const infer::Sender sender =
        loop.strangers.sent(what, loop.turn, loop.segment, told != nullptr && told->timers && told->immediates);
    return loop.waits_for_many ? sender : infer::Sender::unit;
}

bool LoopOwners::sent(const request::Exchange& exchange, const Owner& owner) {
    Loop** const found = by_thread_.find(exchange.sent_by);
    // Of the driver's own traffic only what has a statement is part of a unit's doings (preparing it): not the start of a
    // connection.
    if (found == nullptr || exchange.sent_in != ContextId{} || (exchange.housekeeping && exchange.fingerprint == 0)) {
        return false;
    }
    Loop& loop = **found;
    sent_on_[exchange.id] = &loop;
    ++loop.in_flight;
    infer::Act act;
    act.exchange = exchange.id;
    act.connection = exchange.socket;
    act.pool = loop.program.pool(exchange.protocol, exchange.remote);
    act.shape = loop.program.shape(exchange, act.pool);
    act.may_wait = may_wait(exchange);
    act.nameless = is_nameless(exchange);
    act.certain = owner.evidence == Evidence::thread ? owner.unit : UnitId{};
    act.at = exchange.sent;
    const infer::Sender sender = sender_of(loop, act, owner);
    const bool tells = owner.evidence == Evidence::thread || owner.evidence == Evidence::ambiguous;
    act.certain = sender == infer::Sender::unit ? act.certain : UnitId{};
    act.nobodys = (tells || exchange.moves_jobs) && sender == infer::Sender::nobody;
    loop.segment.acts.push_back(act);
    if (tells && sender != infer::Sender::unit) {
        decisions_.push_back({exchange.id, {{}, act.nobodys ? Evidence::none : Evidence::ambiguous, 0}});
        return true;
    }
    if (owner.evidence != Evidence::ambiguous) {
        return false;
    }
    loop.waiting.push_back({exchange.id, exchange.sent});
    if (loop.waiting.size() > kMostWaiting) {
        decisions_.push_back({loop.waiting.front().exchange, {{}, Evidence::ambiguous, 0}});
        loop.waiting.erase(loop.waiting.begin());
    }
    return true;
}

void LoopOwners::answered(const request::Exchange& exchange) {
    Loop** const found = sent_on_.find(exchange.id);
    if (found == nullptr) {
        return;
    }
    Loop& loop = **found;
    sent_on_.erase(exchange.id);
    loop.in_flight -= std::min<std::size_t>(loop.in_flight, 1);
    infer::Stimulus stimulus{.exchange = exchange.id, .connection = exchange.socket, .transaction = stays(exchange)};
    stimulus.sender = loop.strangers.answered(exchange.id, exchange.socket, stimulus.transaction, loop.active);
    if (prepares(exchange) && exchange.complete && exchange.error.empty()) {
        stimulus.prepared = loop.program.shape(exchange, loop.program.pool(exchange.protocol, exchange.remote));
    }
    if (is_nameless(exchange) && exchange.complete) {
        const infer::PoolId pool = loop.program.pool(exchange.protocol, exchange.remote);
        stimulus.nameless = loop.program.shape(exchange, pool);
        stimulus.meaning = loop.program.shape_of_columns(exchange, pool);
    }
    loop.segment.stimuli.push_back(stimulus);
}

void LoopOwners::lost() {
    for (auto& [thread, loop] : loops_) {
        lost(thread);
    }
}

void LoopOwners::lost(ProcessId process) {
    for (auto& [thread, loop] : loops_) {
        if (loop->process == process) {
            lost(thread);
        }
    }
}

void LoopOwners::lost(ThreadId thread) {
    Loop** const found = by_thread_.find(thread);
    if (found != nullptr) {
        (*found)->segment.stimuli.clear();
        (*found)->segment.acts.clear();
        (*found)->strangers.lost();
        give_up(**found);
    }
}

void LoopOwners::advance(Instant at) {
    for (auto& [thread, loop] : loops_) {
        std::size_t stale = 0;
        while (stale < loop->waiting.size() && loop->waiting[stale].sent < at - kLongestWait) {
            decisions_.push_back({loop->waiting[stale].exchange, {{}, Evidence::ambiguous, 0}});
            ++stale;
        }
        loop->waiting.erase(loop->waiting.begin(), loop->waiting.begin() + static_cast<std::ptrdiff_t>(stale));
    }
}

void LoopOwners::exited(ThreadId thread) {
    Loop** const found = by_thread_.find(thread);
    if (found == nullptr) {
        return;
    }
    Loop& loop = **found;
    close_segment(loop, true);
    loop.simulation.finish();
    collect(loop);
    for (const Waiting& waiting : loop.waiting) {
        decisions_.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
    }
    loop.waiting.clear();
}

void LoopOwners::finish() {
    for (auto& [thread, loop] : loops_) {
        exited(thread);
    }
}

Instant LoopOwners::horizon() const {
    Instant horizon = Instant::max();
    for (const auto& [thread, loop] : loops_) {
        if (!loop->waiting.empty()) {
            horizon = std::min(horizon, loop->waiting.front().sent);
        }
    }
    return horizon;
}

std::vector<LoopOwners::Decision> LoopOwners::take() {
    std::vector<Decision> taken;
    taken.swap(decisions_);
    return taken;
}

}  // namespace timesink::attribute
