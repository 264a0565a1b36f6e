#include <algorithm>

#include "attribute/attribution.hpp"
#include "attribute/rules.hpp"

/// The part of the attribution that learns of what is sent, and, on connections that several use at once, waits until it is known
/// who sent it.
namespace timesink::attribute {

void Attribution::sent(const request::Exchange& exchange) {
    // Nobody waits for the sockets of names and attempts to be free, and what comes by them is no part of an endpoint's sequence.
    // Nor for one that no answer will free.
    const bool takes_turns = exchange.engine == nullptr && !exchange.one_way && !is_setup(exchange);
    if (takes_turns) {
        pools_.sent(exchange);
        edges_.sent(exchange);
    }
    hand_offs_.saw(exchange);
    Pending& pending = pending_[exchange.id];
    pending.sent = exchange.sent;
    const bool posted = interchange_.posted(exchange, owners_.serves_elsewhere(exchange.process, exchange.sent_by), timelines_);
    if (!exchange.one_way && interchange_.sent(exchange, posted)) {
        interchanges(exchange.process);
    }
    pending.owner = exchange.moves_jobs ? Owner{} : owners_.of(exchange, timelines_, contexts_.certain(exchange));
    if (posted && pending.owner.evidence == Evidence::thread) {
        pending.owner = {{}, Evidence::ambiguous, 0};
    }
    if (pending.owner.evidence == Evidence::ambiguous && owners_.threads_tell(exchange.process) && trusts(Evidence::inferred)) {
        if (const UnitId read_last = blocking_.of(exchange); read_last != UnitId{}) {
            pending.owner = {read_last, Evidence::inferred, BlockingCalls::kMargin};
        }
    }
    if (!exchange.one_way) {
        blocking_.sent(exchange);
        crossed_.sent(exchange, pending.owner.evidence == Evidence::thread ? pending.owner.unit : UnitId{}, timelines_);
    }
    pending.propagated = propagated_.of(exchange);
    pending.forwarded = forwarded_.of(exchange);
    pending.awaits_sender = exchange.shared && trusts(Evidence::context);
    pending.undecided = pending.awaits_sender ? await_sender(exchange, pending.owner)
                                              : (!exchange.moves_jobs && trusts(Evidence::context) &&
                                                 contexts_.sent(exchange, pending.owner, decisions_)) ||
                                                    (takes_turns && told_by_loop(exchange, pending.owner));
    expect_background(pending.owner, exchange.sent);
    carry_out();
    // A thread that serves no unit, while others do: who woke whom may tell more.
    if (!exchange.shared && !exchange.one_way && pending_[exchange.id].owner.evidence == Evidence::ambiguous &&
        owners_.threads_tell(exchange.process) && !owners_.serves(exchange.sent_by)) {
        pending_[exchange.id].with_helper = true;
        hand_offs_.sent(exchange, handed_off_);
        carry_out_hand_offs();
    }
}

/// True: a decision will come.
bool Attribution::told_by_loop(const request::Exchange& exchange, const Owner& owner) {
    if (!trusts(Evidence::inferred) || !owners_.threads_tell(exchange.process) || !loops_.sent(exchange, owner)) {
        return false;
    }
    if (owner.evidence == Evidence::thread) {
        owners_.not_alone(exchange);
    }
    return true;
}

/// What counts of what is known: the stronger evidence. That the weaker one says another thing is noted.
Owner Attribution::weigh(const Pending& pending, OwnedExchange& owned) const {
    Owner known = pending.owner;
    if (known.evidence != Evidence::none && !trusts(known.evidence)) {
        known = {{}, Evidence::ambiguous, 0};
    }
    const bool guessed = known.evidence == Evidence::ambiguous || known.evidence == Evidence::inferred;
    if (guessed && pending.forwarded != UnitId{} && trusts(Evidence::inferred)) {
        known = {pending.forwarded, Evidence::inferred, ForwardedOwners::kMargin};
    }
    const UnitId told = pending.propagated;
    if (told == UnitId{} || !trusts(Evidence::propagated)) {
        return known;
    }
    const bool stronger =
        known.evidence == Evidence::thread || known.evidence == Evidence::context || known.evidence == Evidence::goroutine;
    // Nobody's by its context: it was left behind by a unit that has been answered, and the id is used again.
    const bool left_behind = known.evidence == Evidence::none && pending.by_context;
    owned.contradicted = left_behind || (known.unit != UnitId{} && known.unit != told);
    return stronger || left_behind ? known : Owner{told, Evidence::propagated, 1};
}

/// What the thread tells stands until then, if it serves one unit only. True: a decision will come.
bool Attribution::await_sender(const request::Exchange& exchange, Owner& owner) {
    if (owner.evidence != Evidence::thread && owner.evidence != Evidence::none) {
        owner = {{}, Evidence::ambiguous, 0};
    }
    senders_.opened(exchange);
    if (owner.evidence == Evidence::thread && senders_.mixes_threads(exchange.socket)) {
        owner = {{}, Evidence::ambiguous, 0};
    }
    return true;
}

void Attribution::carried(const request::Carried& frame) {
    senders_.carried(frame, contexts_.context(frame.process, frame.writer, frame.at), senders_found_);
    for (const StreamSenders::Decision& decision : senders_found_) {
        Pending* const pending = pending_.find(decision.exchange);
        if (pending == nullptr || !pending->awaits_sender) {
            continue;
        }
        pending->awaits_sender = false;
        pending->undecided =
            contexts_.sent_by(decision.sender, decision.exchange, frame.process, pending->sent, pending->owner, decisions_);
        expect_background(pending->owner, pending->sent);
    }
    senders_found_.clear();
    carry_out();
}

void Attribution::contradict_crossed() {
    for (const CrossedCalls::Call& call : crossed_.take()) {
        contradict(call);
    }
}

/// It may be another's than the unit of the thread that sent it. What stands by contexts or ids does not stand by the thread.
void Attribution::contradict(const CrossedCalls::Call& call) {
    if (Pending* const pending = pending_.find(call.exchange)) {
        if (pending->owner.evidence == Evidence::thread) {
            pending->owner = {{}, Evidence::ambiguous, 0};
        }
        return;
    }
    LiveUnit* const live = find(call.unit);
    if (live == nullptr) {
        return;
    }
    const auto owned = std::find_if(live->exchanges.begin(), live->exchanges.end(), [&](const OwnedExchange& each) {
        return each.exchange.id == call.exchange && each.evidence == Evidence::thread;
    });
    if (owned == live->exchanges.end()) {
        return;
    }
    OwnedExchange nobodys = std::move(*owned);
    live->exchanges.erase(owned);
    settle(std::move(nobodys), {{}, Evidence::ambiguous, 0});
}

/// It has been answered, or will not be.
void Attribution::give_sender_up(const request::Exchange& exchange, Pending& pending) {
    senders_.closed(exchange, exchange.read_end != Instant{} ? exchange.read_end : now_);
    if (pending.awaits_sender) {
        pending.awaits_sender = pending.undecided = false;
    }
}

}  // namespace timesink::attribute
