#include <algorithm>
#include <utility>

#include "attribute/loop_owners.hpp"
#include "attribute/system_calls.hpp"

/// The part of the owners on event loops that cuts turns and gives them to the simulation, or holds them until it is known
/// whether there is to be one.
namespace timesink::attribute {

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
        infer::Segment next;
        next.at = segment.at;
        next.turn_begin = segment.turn_begin;
        next.waited = segment.waited;
        loop.turn.push_back(std::exchange(segment, std::move(next)));
    }
    if (!last && loop.turn.size() < kLongestTurn) {
        return;
    }
    const bool at_rest = loop.active.empty() && loop.in_flight == 0;
    if (loop.kind == Kind::loop) {
        simulate(loop, loop.active, at_rest);
    } else {
        hold(loop, {.turn = std::move(loop.turn), .active = loop.active, .at_rest = at_rest});
        loop.turn.clear();
    }
}

/// The turn that has ended; behind it `active` are in flight. At rest nothing is: whatever was in doubt is over.
void LoopOwners::simulate(Loop& loop, std::span<const UnitId> active, bool at_rest) {
    if (runs_queue(loop)) {
        give_up(loop, active);
        return;
    }
    learn_manners(loop);
    mark_late(loop);
    for (const infer::Segment& each : loop.turn) {
        loop.simulation->on(each);
    }
    if (loop.simulation->derailed()) {
        loop.simulation->begin_anew(active);
    }
    loop.turn.clear();
    collect(loop);
    if (at_rest) {
        loop.simulation->quiet();
        collect(loop);
    }
}

/// Of what cannot be told when there is no more room, a simulation will tell.
void LoopOwners::hold(Loop& loop, Held&& turn) {
    turn.closed = std::move(loop.closed);
    loop.closed.clear();
    loop.held.push_back(std::move(turn));
    if (loop.held.size() < kMostHeld) {
        return;
    }
    if (loop.reads + loop.polls_blocked >= kMostPolls) {
        serves_one_by_one(loop);
    } else {
        is_loop(loop, loop.latest);
    }
}

bool LoopOwners::waits_for_its_only_unit(const Loop& loop) {
    return loop.active.size() == 1 && (loop.in_flight > 0 || loop.connects);
}

void LoopOwners::blocked(Loop& loop, const event::OffCpu& off) {
    if (loop.kind != Kind::unknown || !waits_for_its_only_unit(loop)) {
        return;
    }
    const WaitKind kind = wait_kind(off.syscall);
    loop.polls_blocked += kind == WaitKind::poll ? 1 : 0;
    loop.reads += kind == WaitKind::socket ? 1 : 0;
    if (loop.reads >= kMostReads) {
        serves_one_by_one(loop);
    }
}

void LoopOwners::serves_one_by_one(Loop& loop) {
    loop.kind = Kind::one_by_one;
    loop.held = {};
    loop.closed = {};
    loop.turn = {};
    loop.segment = {};
    loop.strangers = {};
}

/// It gets its simulation, which is told of what was held. Of what was not, `at` is the end.
void LoopOwners::is_loop(Loop& loop, Instant at) {
    if (loop.kind == Kind::loop) {
        return;
    }
    const bool held = loop.kind == Kind::unknown;
    loop.kind = Kind::loop;
    loop.simulation = std::make_unique<infer::Simulation>(loop.program.model());
    if (const infer::Phases* const told = phases_.find(loop.process)) {
        loop.simulation->told(*told);
    }
    if (!held) {
        loop.simulation->lost(loop.active);
        loop.segment.at = loop.segment.turn_begin = loop.latest = at;
        loop.polls = 0;
        loop.turn_ended = false;
        loop.went_to_wait = loop.waited_until = {};
        return;
    }
    std::vector<infer::Segment> turn = std::move(loop.turn);
    for (Held& each : loop.held) {
        for (const SocketId socket : each.closed) {
            loop.simulation->closed(socket);
        }
        loop.turn = std::move(each.turn);
        if (each.lost) {
            give_up(loop, each.active);
        } else {
            simulate(loop, each.active, each.at_rest);
        }
    }
    for (const SocketId socket : loop.closed) {
        loop.simulation->closed(socket);
    }
    loop.held = {};
    loop.closed = {};
    loop.turn = std::move(turn);
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
void LoopOwners::give_up(Loop& loop, std::span<const UnitId> active) {
    loop.turn.clear();
    loop.simulation->lost(active);
    collect(loop);
    for (const Waiting& waiting : loop.waiting) {
        decisions_.push_back({waiting.exchange, {{}, Evidence::ambiguous, 0}});
    }
    loop.waiting.clear();
}

}  // namespace timesink::attribute
