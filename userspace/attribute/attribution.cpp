#include "attribute/attribution.hpp"

#include <algorithm>

#include "attribute/rules.hpp"
#include "attribute/walk.hpp"

namespace timesink::attribute {

namespace {

/// A thread's past is kept a little longer than its oldest unit needs: the wake-up that led to the read lies before it.
constexpr Duration kMargin = std::chrono::seconds(1);

/// A loss shortly before a unit may have taken the arrival of its first byte: its window would begin too late.
constexpr Duration kBeforeBegin = std::chrono::milliseconds(20);

Duration hidden_time(const OwnedExchange& owned) {
    if (!owned.exchange.complete) {
        return {};
    }
    return std::max(Duration{}, owned.exchange.arrived_end - owned.exchange.sent - owned.on_path);
}

}  // namespace

void Attribution::on(const event::Call& call) {
    now_ = call.exited;
    timelines_.on(call);
}

void Attribution::on(const event::OffCpu& off) {
    now_ = off.on;
    timelines_.on(off);
    if (off.woken > off.off) {
        owners_.idle(off.thread);
    }
}

void Attribution::on(const event::Task& task) {
    if (task.operation == TS_TASK_EXIT) {
        timelines_.exited(task.thread, task.at);
    }
    if (task.operation != TS_TASK_FORK && number(task.thread) == number(task.process)) {
        contexts_.ended(task.process);
    }
}

void Attribution::on(const event::Loss& loss) {
    losses_.push_back({loss.first, loss.last});
    for (const auto& [id, live] : units_) {
        live->touched_by_loss = live->touched_by_loss || !live->ended;
    }
    owners_.lost(loss.last);
    contexts_.lost(loss.last);
}

void Attribution::began(const request::Unit& unit) {
    auto live = std::make_unique<LiveUnit>();
    live->unit = unit;
    if (const ThreadTimeline* timeline = timelines_.find(unit.thread)) {
        live->use_at_begin = timeline->use_before_call();
        live->use_known = true;
    }
    live->touched_by_loss = lost_within({unit.begin, Instant::max()});
    LiveUnit& kept = *live;
    units_.emplace(unit.id, std::move(live));
    owners_.began(kept);
    contexts_.began(kept);
}

void Attribution::ended(request::Unit unit) {
    const auto found = units_.find(unit.id);
    if (found == units_.end()) {
        return;
    }
    LiveUnit& live = *found->second;
    const Instant at = unit.complete ? unit.end : now_;
    live.unit = std::move(unit);
    live.ended = true;
    if (const ThreadTimeline* timeline = timelines_.find(live.unit.answered_by)) {
        live.use_at_end = timeline->use();
    }
    owners_.ended(live, at);
    ended_.push_back(live.unit.id);
    contexts_.ended(live, decisions_);
    carry_out();
}

void Attribution::sent(const request::Exchange& exchange) {
    Pending pending;
    pending.owner = owners_.of(exchange, timelines_, contexts_.certain(exchange));
    pending.undecided = contexts_.sent(exchange, pending.owner, decisions_);
    pending_.emplace(exchange.id, std::move(pending));
    carry_out();
}

void Attribution::carry_out() {
    for (const ContextOwners::Decision& decision : decisions_) {
        const auto found = pending_.find(decision.exchange);
        if (found == pending_.end()) {
            continue;
        }
        Pending& pending = found->second;
        pending.owner = decision.owner;
        pending.undecided = false;
        if (pending.answered) {
            settle(std::move(*pending.answered), decision.owner);
            pending_.erase(found);
        }
    }
    decisions_.clear();
}

void Attribution::answered(request::Exchange exchange) {
    const auto found = pending_.find(exchange.id);
    if (found == pending_.end()) {
        return;
    }
    owners_.answered(exchange);
    OwnedExchange owned;
    owned.bucket = bucket_of(exchange);
    owned.exchange = std::move(exchange);
    if (found->second.undecided) {
        found->second.answered = std::move(owned);
        return;
    }
    const Owner owner = found->second.owner;
    pending_.erase(found);
    settle(std::move(owned), owner);
}

/// Puts an answered exchange where it belongs.
void Attribution::settle(OwnedExchange owned, const Owner& known) {
    owned.owner = known.unit;
    owned.evidence = known.evidence;
    owned.margin = known.margin;
    const auto owner = units_.find(owned.owner);
    if (owner == units_.end()) {
        sink_.stray(owned);
        return;
    }
    std::vector<OwnedExchange>& list = owner->second->exchanges;
    const auto place = std::upper_bound(list.begin(), list.end(), owned, [](const OwnedExchange& a, const OwnedExchange& b) {
        return a.exchange.id < b.exchange.id;
    });
    list.insert(place, std::move(owned));
}

void Attribution::lost(ThreadId thread) {
    for (const auto& [id, live] : units_) {
        if (!live->ended && live->unit.thread == thread) {
            live->touched_by_loss = live->misses_messages = true;
        }
    }
}

void Attribution::advance(Instant at) {
    while (!ended_.empty() && units_.at(ended_.front())->unit.end < at) {
        const UnitId id = ended_.front();
        ended_.pop_front();
        draw(*units_.at(id));
        units_.erase(id);
    }
    Instant needed = at;
    for (const auto& [id, live] : units_) {
        needed = std::min(needed, live->unit.begin);
    }
    timelines_.forget(needed - kMargin);
    while (!losses_.empty() && losses_.front().end < needed - kMargin) {
        losses_.pop_front();
    }
}

void Attribution::finish() {
    contexts_.finish(decisions_);
    carry_out();
    advance(Instant::max());
}

bool Attribution::lost_within(Interval interval) const {
    return std::any_of(losses_.begin(), losses_.end(),
                       [&](const Interval& loss) { return loss.begin <= interval.end && loss.end >= interval.begin; });
}

void Attribution::draw(LiveUnit& live) {
    Account account;
    request::Unit& unit = live.unit;
    const bool touched = std::any_of(live.exchanges.begin(), live.exchanges.end(),
                                     [](const OwnedExchange& owned) { return owned.exchange.touched_by_loss; });
    const Interval window{unit.begin, std::max(unit.end, unit.begin)};
    if (unit.exclusion == request::Exclusion::none &&
        (touched || live.misses_messages || lost_within({window.begin - kBeforeBegin, window.end}))) {
        unit.exclusion = request::Exclusion::loss;
    }
    if (unit.exclusion == request::Exclusion::none) {
        measure_use(live);
        account.pieces = Walk(live, timelines_).run();
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
            owned.hidden = hidden_time(owned);
            account.hidden += owned.hidden;
        }
    }
    account.unit = std::move(unit);
    account.exchanges = std::move(live.exchanges);
    sink_.account(account);
}

/// What the unit's thread used between the read of the request and the end of the response, if it worked for this unit alone.
void Attribution::measure_use(LiveUnit& live) const {
    request::Unit& unit = live.unit;
    const ThreadTimeline* timeline = timelines_.find(unit.thread);
    if (timeline == nullptr || !live.use_known || !live.shared.empty() || unit.thread != unit.answered_by) {
        return;
    }
    unit.resources_known = true;
    const Interval worked{unit.read_begin, std::max(unit.end, unit.read_begin)};
    const ThreadTimeline::Absence absence = timeline->absence(worked);
    unit.cpu = worked.length() - absence.off;
    unit.run_queue = absence.runnable;
    unit.minor_faults = live.use_at_end.minor_faults - live.use_at_begin.minor_faults;
    unit.major_faults = live.use_at_end.major_faults - live.use_at_begin.major_faults;
    for (std::size_t call_class = 0; call_class < unit.calls.size(); ++call_class) {
        const request::CallTotals& from = live.use_at_begin.calls[call_class];
        const request::CallTotals& to = live.use_at_end.calls[call_class];
        unit.calls[call_class] = {to.calls - from.calls, to.errors - from.errors, to.nanoseconds - from.nanoseconds,
                                  to.bytes - from.bytes};
    }
}

}  // namespace timesink::attribute
