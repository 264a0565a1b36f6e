#include <algorithm>

#include "attribute/attribution.hpp"

/// The part of Attribution that deals with units which nobody asked for: what requests went on doing after they had been
/// answered.
namespace timesink::attribute {

/// Its account is not drawn yet, or it stays without.
void Attribution::added(UnitId job, ExchangeId by, Instant at) {
    if (LiveUnit* const live = find(job)) {
        live->unit.added_by = by;
        live->unit.added = at;
    }
}

/// The account must be there from the moment when the call is known to be its, so that what its threads did is not forgotten.
void Attribution::expect_background(const Owner& owner, Instant sent) {
    if (owner.after != nullptr && trusts(owner.evidence)) {
        share_with_background(background_of(*owner.after, sent).unit.process, sent);
        backgrounds_.sent(owner.unit);
    }
}

/// Units that were in flight in the process shared it: what a thread did then is not all theirs, even of a single one.
void Attribution::share_with_background(ProcessId process, Instant sent) {
    for (const Entry& entry : units_) {
        LiveUnit& live = *entry.live;
        const request::Unit& unit = live.unit;
        const bool in_flight = unit.process == process && unit.read_begin <= sent && (!live.ended || unit.end >= sent);
        if (in_flight && !live.drawn && live.shared.empty()) {
            live.shared.push_back({sent, Instant::max()});
        }
    }
}

LiveUnit& Attribution::background_of(const Answered& request, Instant sent) {
    if (LiveUnit* const open = backgrounds_.find(request.id, sent)) {
        return *open;
    }
    auto fresh = std::make_unique<LiveUnit>();
    fresh->unit.id = next_unit();
    backgrounds_.begin(*fresh, request, sent);
    units_.push_back({fresh->unit.id, std::move(fresh)});
    return *units_.back().live;
}

void Attribution::end_backgrounds(Instant at) {
    for (LiveUnit* const live : backgrounds_.take_ended(std::min(at, contexts_.decided_until()))) {
        if (live->exchanges.empty()) {
            live->drawn = true;  // nothing that it sent was answered
        } else {
            live->ended = true;
            ended_.push_back(live);
        }
    }
}

}  // namespace timesink::attribute
