#include "attribute/attribution.hpp"

/// The part of the attribution that waits until it is known who sent what on connections that several use at once.
namespace timesink::attribute {

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

/// It has been answered, or will not be.
void Attribution::give_sender_up(const request::Exchange& exchange, Pending& pending) {
    senders_.closed(exchange, exchange.read_end != Instant{} ? exchange.read_end : now_);
    if (pending.awaits_sender) {
        pending.awaits_sender = pending.undecided = false;
    }
}

}  // namespace timesink::attribute
