#include "attribute/attribution.hpp"

#include <algorithm>
#include <memory>

#include "attribute/embedded.hpp"
#include "attribute/goroutine_walk.hpp"
#include "attribute/loop_walk.hpp"
#include "attribute/objects.hpp"
#include "attribute/rules.hpp"
#include "attribute/walk.hpp"

namespace timesink::attribute {

namespace {

/// A thread's past is kept a little longer than its oldest unit needs: the wake-up that led to the read lies before it.
constexpr Duration kMargin = std::chrono::seconds(1);

/// A loss shortly before a unit may have taken the arrival of its first byte: its window would begin too late.
constexpr Duration kBeforeBegin = std::chrono::milliseconds(20);

constexpr std::size_t kMostSpareUnits = 256;
constexpr std::size_t kMostSpareUses = 64;
constexpr std::size_t kMostSpareAnswered = 64;

/// A new one, or one that was used before.
template <typename Object>
std::unique_ptr<Object> take(std::vector<std::unique_ptr<Object>>& spare) {
    if (spare.empty()) {
        return std::make_unique<Object>();
    }
    std::unique_ptr<Object> object = std::move(spare.back());
    spare.pop_back();
    return object;
}

template <typename Object>
void give_back(std::unique_ptr<Object> object, std::vector<std::unique_ptr<Object>>& spare, std::size_t most) {
    if (object && spare.size() < most) {
        spare.push_back(std::move(object));
    }
}

void forget_use(request::Unit& unit) {
    unit.resources_known = false;
    unit.minor_faults = unit.major_faults = 0;
    unit.calls.clear();
}

}  // namespace

void Attribution::on(const event::Call& call) {
    now_ = call.exited;
    timelines_.on(call);
    if (call.operation == TS_OPERATION_CLOSE) {
        pools_.closed(call.socket);
    }
    loops_.on(call);
    blocking_.on(call);
}

void Attribution::on(const event::OffCpu& off) {
    now_ = off.on;
    timelines_.on(off);
    hand_offs_.on(off, owners_);
    if (hand_offs_.tells(off)) {
        crossed_.woken(off, owners_.alone_on(off.thread) != UnitId{}, timelines_);
        contradict_crossed();
    }
    loops_.on(off);
    blocking_.on(off);
    if (off.woken > off.off) {
        owners_.waited(off.process, off.thread, off.syscall);
    }
}

void Attribution::on(const event::LoopPhase& phase) {
    loops_.on(phase);
}

void Attribution::tells_phases(ProcessId process, bool timers, bool immediates) {
    loops_.tells_phases(process, {timers, immediates});
}

void Attribution::runs(ProcessId process, std::string_view runtime) {
    if (runtime == "go") {
        owners_.schedules_itself(process);
    }
}

/// Its threads take up each other's work.
void Attribution::interchanges(ProcessId process) {
    owners_.schedules_itself(process);
    loops_.lost(process);
    carry_out();
}

void Attribution::on(const event::Task& task) {
    if (task.operation == TS_TASK_EXIT) {
        timelines_.exited(task.thread, task.at);
        loops_.exited(task.thread);
        blocking_.exited(task.thread);
        crossed_.exited(task.thread);
        interchange_.exited(task.thread, task.process);
        carry_out();
    } else if (task.operation == TS_TASK_FORK) {
        propagated_.descends(task.process, task.parent_process);
    }
    if (task.operation != TS_TASK_FORK && number(task.thread) == number(task.process)) {
        contexts_.ended(task.process);
        interchange_.ended(task.process);
    }
    if (task.operation == TS_TASK_EXIT && number(task.thread) == number(task.process)) {
        propagated_.gone(task.process);
        untold_.erase(task.process);
    }
    hand_offs_.on(task, owners_);
}

void Attribution::on(const event::Loss& loss) {
    losses_.push_back({loss.first, loss.last});
    for (const Entry& entry : units_) {
        LiveUnit* const live = entry.live.get();
        live->touched_by_loss = live->touched_by_loss || !live->ended;
    }
    some_touched_by_loss_ = true;
    owners_.lost(loss.last);
    blocking_.lost();
    crossed_.lost();
    loops_.lost();
    carry_out();
    contexts_.lost(loss.last);
    senders_.lost();
    hand_offs_.lost();
}

LiveUnit* Attribution::find(UnitId id) const {
    const auto found =
        std::lower_bound(units_.begin(), units_.end(), id, [](const Entry& entry, UnitId wanted) { return entry.id < wanted; });
    return found == units_.end() || found->id != id || found->live->drawn ? nullptr : found->live.get();
}

void Attribution::began(const request::Unit& unit) {
    taken(unit.id);
    std::unique_ptr<LiveUnit> live = take(spare_units_);
    live->unit.id = unit.id;
    live->unit.socket = unit.socket;
    live->unit.process = unit.process;
    live->unit.thread = unit.thread;
    live->unit.read_in = unit.read_in;
    live->unit.begin = unit.begin;
    live->unit.read_begin = unit.read_begin;
    const ThreadTimeline* timeline = owners_.threads_tell(unit.process) ? timelines_.find(unit.thread) : nullptr;
    if (timeline != nullptr) {
        live->use_at_begin = take(spare_uses_);
        timeline->use_before_call(*live->use_at_begin);
    }
    live->caller = edges_.began(unit);
    if (Pending* const caller = live->caller == ExchangeId{} ? nullptr : pending_.find(live->caller)) {
        caller->callee = unit.id;
        inside_.expect(unit.id);
    }
    live->touched_by_loss = lost_within({unit.begin, Instant::max()});
    some_touched_by_loss_ = some_touched_by_loss_ || live->touched_by_loss;
    live->misses_messages = untold_.contains(unit.process);
    LiveUnit& kept = *live;
    units_.push_back({unit.id, std::move(live)});  // ids are given as units begin
    owners_.began(kept);
    interchange_.began(unit);
    contexts_.began(kept);
    propagated_.began(unit);
    forwarded_.began(unit);
    blocking_.began(unit);
    hand_offs_.began(kept);
    if (owners_.threads_tell(unit.process)) {
        loops_.began(unit);
    }
}

void Attribution::ended(request::Unit&& unit) {
    LiveUnit* const live = find(unit.id);
    if (live == nullptr) {
        return;
    }
    loops_.ended(unit);
    const Instant at = unit.complete ? unit.end : now_;
    live->unit.calls.swap(unit.calls);  // which has none yet: those keep their memory
    live->unit = std::move(unit);
    live->unit.caller = live->caller;
    live->unit.request = job_origins_.of(live->unit);
    live->ended = true;
    crossed_.ended(live->unit, timelines_);
    contradict_crossed();
    note_use(*live);
    owners_.ended(*live, at);
    pools_.ended(live->unit.id, at);
    propagated_.ended(live->unit);
    forwarded_.ended(live->unit);
    blocking_.ended(live->unit);
    ended_.push_back(live);
    if (interchange_.ended(live->unit)) {
        interchanges(live->unit.process);
    }
    live->in_doubt = !contexts_.ended(*live, decisions_) || live->in_doubt;
    carry_out();
    hand_offs_.ended(*live, timelines_, handed_off_);
    carry_out_hand_offs();
}

/// What its thread used since the begin, as far as it will be asked for; the memory for the begin is free then.
void Attribution::note_use(LiveUnit& live) {
    request::Unit& unit = live.unit;
    const ThreadTimeline* timeline = unit.thread == unit.answered_by ? timelines_.find(unit.thread) : nullptr;
    if (live.use_at_begin && timeline != nullptr) {
        const ThreadUse& from = *live.use_at_begin;
        const ThreadUse& to = timeline->use();
        constexpr std::size_t kMostlyUsed = 6;
        unit.calls.reserve(kMostlyUsed);
        unit.resources_known = true;  // unless it turns out that others shared the thread
        unit.minor_faults = to.minor_faults - from.minor_faults;
        unit.major_faults = to.major_faults - from.major_faults;
        for (std::size_t call_class = 0; call_class < to.calls.size(); ++call_class) {
            const request::CallTotals used = to.calls[call_class] - from.calls[call_class];
            if (used != request::CallTotals{}) {
                unit.calls.push_back({static_cast<ts_call_class>(call_class), used});
            }
        }
    }
    give_back(std::move(live.use_at_begin), spare_uses_, kMostSpareUses);
}

/// What contexts say is stronger, but what they do not know is known when the unit has ended, and must be its own by then.
void Attribution::carry_out_hand_offs() {
    for (const HandOffs::Decision& decision : handed_off_) {
        Pending* const pending = pending_.find(decision.exchange);
        if (pending == nullptr || !pending->with_helper) {
            continue;
        }
        pending->with_helper = false;
        if (decision.owner.unit != UnitId{}) {
            pending->owner = decision.owner;
            pending->undecided = false;
        }
        release(*pending);
    }
    handed_off_.clear();
}

/// Settles it, when it has been answered and nothing more will be known.
void Attribution::release(Pending& pending) {
    if (pending.undecided || pending.with_helper || !pending.answered) {
        return;
    }
    std::unique_ptr<OwnedExchange> answered = std::move(pending.answered);
    const Owner owner = weigh(pending, *answered);
    pending_.erase(answered->exchange.id);
    settle(std::move(*answered), owner);
    give_back(std::move(answered), spare_answered_, kMostSpareAnswered);
}

void Attribution::carry_out() {
    for (const ContextOwners::Decision& decision : decisions_) {
        decide(decision.exchange, decision.owner, true);
    }
    decisions_.clear();
    for (const LoopOwners::Decision& decision : loops_.take()) {
        decide(decision.exchange, decision.owner, false);
    }
}

void Attribution::decide(ExchangeId exchange, const Owner& owner, bool by_context) {
    Pending* const pending = pending_.find(exchange);
    if (pending == nullptr || !pending->undecided) {
        return;
    }
    expect_background(owner, pending->sent);
    pending->owner = owner;
    pending->undecided = false;
    pending->by_context = by_context;
    pending->with_helper = pending->with_helper && owner.evidence == Evidence::ambiguous;
    release(*pending);
}

/// `unit`: whose it is by its thread. Who read an answer, and when, tells of others.
void Attribution::read_answer(const request::Exchange& exchange, UnitId unit) {
    pools_.answered(exchange);
    edges_.answered(exchange);
    hand_offs_.answered(exchange);
    loops_.answered(exchange);
    blocking_.answered(exchange);
    crossed_.answered(exchange, unit);
    if (interchange_.answered(exchange)) {
        interchanges(exchange.process);
    }
}

void Attribution::answered(request::Exchange&& exchange) {
    Pending* const found = pending_.find(exchange.id);
    if (found == nullptr) {
        return;
    }
    if (exchange.engine != nullptr) {
        measure(exchange, timelines_);
        timelines_.executed(exchange);
    }
    owners_.answered(exchange);
    if (!exchange.one_way) {
        read_answer(exchange, found->owner.evidence == Evidence::thread ? found->owner.unit : UnitId{});
    }
    if (exchange.shared) {
        give_sender_up(exchange, *found);
    }
    OwnedExchange owned;
    const ExchangeId id = exchange.id;
    owned.exchange = std::move(exchange);
    classify(owned, rules_);
    owned.exchange.callee = found->callee;
    if (found->undecided || found->with_helper) {
        found->answered = take(spare_answered_);
        *found->answered = std::move(owned);
        return;
    }
    const Owner owner = weigh(*found, owned);
    pending_.erase(id);
    settle(std::move(owned), owner);
}

/// Puts an answered exchange where it belongs.
void Attribution::settle(OwnedExchange&& owned, const Owner& known) {
    LiveUnit* const owner = known.after ? &background_of(*known.after, owned.exchange.sent) : find(known.unit);
    owned.owner = known.after ? owner->unit.id : known.unit;
    owned.evidence = known.evidence;
    owned.margin = known.margin;
    // When background work has done with a connection is not known: it counts as for nobody's.
    pools_.settled(owned.exchange, known.after ? UnitId{} : owned.owner);
    owned.grounds = known.grounds;
    job_origins_.settled(owned.exchange, owned.owner);
    if (known.after) {
        backgrounds_.answered(known.unit, owned.exchange);
    }
    if (owned.evidence == Evidence::ambiguous && !owned.exchange.one_way) {  // which no unit waits for
        doubt(owned.exchange, known.candidates);
    }
    if (owner == nullptr) {
        inside_.forget(owned.exchange.callee);
        sink_.stray(owned);
        return;
    }
    std::vector<OwnedExchange>& list = owner->exchanges;
    const auto place = std::upper_bound(list.begin(), list.end(), owned, [](const OwnedExchange& a, const OwnedExchange& b) {
        return a.exchange.id < b.exchange.id;
    });
    list.insert(place, std::move(owned));
}

/// It may be any unit's that was in flight in the process, unless it is known to be one of the candidates'. If one of these was
/// touched by a loss, it might be known whose this is had nothing been lost: then they are left out rather than shown without it.
void Attribution::doubt(const request::Exchange& exchange, const std::vector<UnitId>& candidates) {
    std::vector<LiveUnit*>& in_flight = in_flight_;
    in_flight.clear();
    const auto consider = [&](LiveUnit* live) {
        if (live != nullptr && live->unit.process == exchange.process && live->unit.read_begin <= exchange.sent &&
            (!live->ended || live->unit.end >= exchange.sent)) {
            in_flight.push_back(live);
        }
    };
    for (const UnitId candidate : candidates) {
        consider(find(candidate));
    }
    if (candidates.empty() && !some_touched_by_loss_) {
        doubts_.sent(exchange.process, exchange.sent);
    } else if (candidates.empty()) {
        for (const Entry& entry : units_) {
            consider(entry.live.get());
        }
    }
    const bool for_a_loss =
        std::any_of(in_flight.begin(), in_flight.end(), [](const LiveUnit* live) { return live->touched_by_loss; });
    for (LiveUnit* const live : in_flight) {
        live->in_doubt = true;
        live->misses_messages = live->misses_messages || for_a_loss;
    }
}

void Attribution::lost(ProcessId process, ThreadId thread) {
    loops_.lost(thread);
    carry_out();
    // A thread that serves none helps any of them.
    const bool serves = owners_.threads_tell(process) && owners_.serves(thread);
    for (const Entry& entry : units_) {
        LiveUnit* const live = entry.live.get();
        if (!live->ended && (serves ? live->unit.thread == thread : live->unit.process == process)) {
            live->touched_by_loss = live->misses_messages = some_touched_by_loss_ = true;
        }
    }
}

void Attribution::untold(ProcessId process, bool begins) {
    if (!begins) {
        untold_.erase(process);
        return;
    }
    untold_.insert(process);
    for (const Entry& entry : units_) {
        LiveUnit& live = *entry.live;
        live.misses_messages = live.misses_messages || (!live.ended && live.unit.process == process);
    }
}

void Attribution::advance(Instant at) {
    loops_.advance(at);
    carry_out();
    end_backgrounds(at);
    const Instant known = std::min(at, loops_.horizon());
    while (!ended_.empty() && ended_.front()->unit.end < known) {
        LiveUnit& live = *ended_.front();
        ended_.pop_front();
        draw(live);
        live.drawn = true;
    }
    Instant needed = at;
    some_touched_by_loss_ = false;
    std::erase_if(units_, [&](Entry& entry) {
        if (entry.live->drawn) {
            // Now, not when it is taken again: those at the bottom are not for long, and each had once been a large one.
            entry.live->restart();
            give_back(std::move(entry.live), spare_units_, kMostSpareUnits);
            return true;
        }
        needed = std::min(needed, entry.live->unit.begin);
        some_touched_by_loss_ = some_touched_by_loss_ || entry.live->touched_by_loss;
        return false;
    });
    timelines_.forget(needed - kMargin);
    pools_.forget(needed - kMargin);
    doubts_.forget(needed - kMargin);
    while (!losses_.empty() && losses_.front().end < needed - kMargin) {
        losses_.pop_front();
    }
}

void Attribution::finish() {
    contexts_.finish(decisions_);
    loops_.finish();
    carry_out();
    hand_offs_.finish(handed_off_);
    carry_out_hand_offs();
    advance(Instant::max());
}

bool Attribution::lost_within(Interval interval) const {
    return std::any_of(losses_.begin(), losses_.end(),
                       [&](const Interval& loss) { return loss.begin <= interval.end && loss.end >= interval.begin; });
}

void Attribution::draw(LiveUnit& live) {
    Account& account = account_;
    account.by_cause = {};
    account.hidden = {};
    account.pieces.clear();
    account.objects.clear();
    request::Unit& unit = live.unit;
    const bool touched = std::any_of(live.exchanges.begin(), live.exchanges.end(),
                                     [](const OwnedExchange& owned) { return owned.exchange.touched_by_loss; });
    const Interval window{unit.begin, std::max(unit.end, unit.begin)};
    live.in_doubt = live.in_doubt || doubts_.within(unit.process, {unit.read_begin, unit.end});
    if (unit.exclusion == request::Exclusion::none &&
        (touched || live.misses_messages || lost_within({window.begin - kBeforeBegin, window.end}) ||
         (live.in_doubt && owners_.in_doubt(window.begin)))) {
        unit.exclusion = request::Exclusion::loss;
    }
    if (unit.exclusion == request::Exclusion::none) {
        measure_use(live);
        find_objects(live.exchanges, account.objects);  // which may make a small download transfer
        charge_setup(live.exchanges);
        const bool on_loop = !live.shared.empty() || live.has_calls_side_by_side();
        if (!owners_.threads_tell(unit.process)) {
            GoroutineWalk(live, timelines_, account.pieces).run();
        } else if (on_loop && !live.in_doubt) {
            LoopWalk(live, timelines_, pools_, account.pieces).run();
        } else {
            Walk(live, timelines_, account.pieces).run();
        }
        for (const Piece& piece : account.pieces) {
            account.by_cause[static_cast<std::size_t>(piece.cause)] += piece.span.length();
            if (piece.exchange == ExchangeId{}) {
                continue;
            }
            const auto whose = std::lower_bound(live.exchanges.begin(), live.exchanges.end(), piece.exchange,
                                                [](const OwnedExchange& owned, ExchangeId id) { return owned.exchange.id < id; });
            whose->on_path += piece.span.length();
        }
        for (OwnedExchange& owned : live.exchanges) {
            owned.hidden = owned.beside_the_path();
            owned.inside = inside_.of(owned, account.pieces);
            account.hidden += owned.hidden;
        }
        measure_objects(live.exchanges, account.objects);
        inside_.drawn(unit.id, account.pieces);
    }
    for (const OwnedExchange& owned : live.exchanges) {
        inside_.forget(owned.exchange.callee);
    }
    if (unit.exclusion != request::Exclusion::none) {
        forget_use(unit);
    }
    // The lists are exchanged: the memory of the account before goes to the next unit.
    std::vector<request::ClassCalls> memory = std::move(account.unit.calls);
    account.unit = std::move(unit);
    live.unit.calls.swap(memory);
    account.exchanges.swap(live.exchanges);
    sink_.account(account);
}

/// What the unit's thread used between the read of the request and the end of the response, if it worked for this unit alone.
void Attribution::measure_use(LiveUnit& live) const {
    request::Unit& unit = live.unit;
    const ThreadTimeline* timeline = timelines_.find(unit.thread);
    if (timeline == nullptr || !unit.resources_known || !live.shared.empty()) {
        forget_use(unit);
        return;
    }
    const Interval worked{unit.read_begin, std::max(unit.end, unit.read_begin)};
    const ThreadTimeline::Absence absence = timeline->absence(worked);
    unit.cpu = worked.length() - absence.off;
    unit.run_queue = absence.runnable;
}

}  // namespace timesink::attribute
