#include "attribute/loop_owners.hpp"

#include <algorithm>
#include <iterator>

#include "attribute/system_calls.hpp"

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
    loop.connects = loop.connects || call.operation == TS_OPERATION_CONNECT;
    if (loop.kind == Kind::one_by_one) {
        return;
    }
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
        loop.strangers.closed(call.socket);
        if (loop.kind == Kind::loop) {
            loop.simulation->closed(call.socket);
        } else {
            loop.closed.push_back(call.socket);
        }
    }
}

/// Blocked in a wait for events. A second one without a call in between: a turn of which nothing else is seen.
/// A thread that serves one by one may wait in epoll, too, for what its only unit asked for (psycopg, which waits for one socket
/// so): it is a loop when nothing is on its way to its unit, or when it has none.
void LoopOwners::on(const event::OffCpu& off) {
    Loop** const found = by_thread_.find(off.thread);
    if (found == nullptr || off.woken <= off.off) {
        return;
    }
    Loop& loop = **found;
    if (!waits_in_epoll(off.syscall)) {
        blocked(loop, off);
        return;
    }
    if (loop.kind != Kind::loop && waits_for_its_only_unit(loop)) {
        ++loop.polls_blocked;
    } else {
        is_loop(loop, off.off);
        loop.waits_for_many = true;
    }
    if (loop.kind == Kind::one_by_one) {
        return;
    }
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
            is_loop(*loop, loop->latest);
            loop->simulation->told(phases);
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
    is_loop(loop, phase.at);
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

void LoopOwners::collect(Loop& loop) {
    for (const infer::Verdict& verdict : loop.simulation->take()) {
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
        by_thread_[unit.thread] = loop;
        loop->segment.at = loop->segment.turn_begin = loop->latest = unit.read_begin;
        if (phases_.find(unit.process) != nullptr) {
            is_loop(*loop, loop->latest);
        }
    }
    if (!loop->active.empty()) {
        is_loop(*loop, unit.read_begin);
    }
    loop->active.push_back(unit.id);
    loop->newest = unit.id;
    runs_on_[unit.id] = loop;
    if (loop->kind == Kind::one_by_one) {
        return;
    }
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
    loop.connects = false;
    if (loop.kind == Kind::one_by_one) {
        return;
    }
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
    if (owner.evidence == Evidence::ambiguous) {
        is_loop(loop, exchange.sent);
    }
    sent_on_[exchange.id] = &loop;
    ++loop.in_flight;
    loop.connects = false;
    if (loop.kind == Kind::one_by_one) {
        return false;
    }
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
    if (loop.kind == Kind::one_by_one) {
        return;
    }
    infer::Stimulus stimulus{.exchange = exchange.id, .connection = exchange.socket, .transaction = stays(exchange)};
    stimulus.sender = loop.strangers.answered(exchange.id, exchange.socket, stimulus.transaction, loop.active);
    if (exchange.moves_jobs) {
        // The worker, which hands a job over in one turn and starts it in another, when it has asked for the next.
        stimulus.sender = infer::Sender::unit;
    }
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
    if (found == nullptr || (*found)->kind == Kind::one_by_one) {
        return;
    }
    Loop& loop = **found;
    loop.segment.stimuli.clear();
    loop.segment.acts.clear();
    loop.strangers.lost();
    if (loop.kind == Kind::loop) {
        give_up(loop, loop.active);
    } else {
        loop.turn.clear();
        hold(loop, {.active = loop.active, .lost = true});
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
    conclude(**found);
    forget(**found);
    by_thread_.erase(thread);
    loops_.erase(thread);
}

/// What is decided of units that go on elsewhere is not this thread's any more.
void LoopOwners::forget(const Loop& loop) {
    for (const UnitId unit : loop.active) {
        runs_on_.erase(unit);
    }
    if (loop.in_flight == 0) {
        return;
    }
    std::vector<ExchangeId> unanswered;
    sent_on_.for_each([&](ExchangeId id, const Loop* on) {
        if (on == &loop) {
            unanswered.push_back(id);
        }
    });
    for (const ExchangeId id : unanswered) {
        sent_on_.erase(id);
    }
}

/// What it has sent is as sure as it will be.
void LoopOwners::conclude(Loop& loop) {
    if (loop.kind != Kind::loop) {
        return;
    }
    close_segment(loop, true);
    loop.simulation->finish();
    collect(loop);
    for (const Waiting& waiting : loop.waiting) {
        decisions_.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
    }
    loop.waiting.clear();
}

void LoopOwners::finish() {
    for (auto& [thread, loop] : loops_) {
        conclude(*loop);
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

std::size_t LoopOwners::simulations() const {
    return static_cast<std::size_t>(
        std::count_if(loops_.begin(), loops_.end(), [](const auto& each) { return each.second->simulation != nullptr; }));
}

std::vector<LoopOwners::Decision> LoopOwners::take() {
    std::vector<Decision> taken;
    taken.swap(decisions_);
    return taken;
}

}  // namespace timesink::attribute
