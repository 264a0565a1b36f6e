#include "attribute/context_owners.hpp"

#include <algorithm>
#include <utility>

namespace timesink::attribute {

namespace {

/// A connection's task may still have worked for the unit before.
constexpr double kConnectionMargin = 0.95;

constexpr int kSwitchingProtocols = 101;

}  // namespace

void ContextOwners::on(const event::Lineage& lineage) {
    if (event::is_birth_name(lineage.child)) {
        const ContextRef before = contexts_.find(lineage.process, lineage.child, lineage.at);
        if (before != nullptr && before->start != 0) {
            functions_[lineage.process].ended(*before);
        }
    }
    contexts_.on(lineage);
    if (event::is_birth_name(lineage.child)) {
        goroutines::made(*contexts_.find(lineage.process, lineage.child, lineage.at));
    }
}

void ContextOwners::lost(Instant at) {
    lost_ = std::max(lost_, at);
    contexts_.lost();
    connections_.lost();
}

void ContextOwners::ended(ProcessId process) {
    contexts_.ended(process);
    connections_.ended(process);
    functions_.erase(process);
}

void ContextOwners::began(const LiveUnit& live) {
    const request::Unit& unit = live.unit;
    InProcess& process = processes_[unit.process];
    process.active.emplace(unit.read_begin, unit.id);
    if (event::is_goroutine(unit.read_in)) {
        if (const ContextRef reader = contexts_.find(unit.process, unit.read_in, unit.read_begin)) {
            goroutines::reads(reader, unit);
            process.readers.emplace(unit.id, Reader{reader, unit.socket});
        }
    } else {
        serves_several(contexts_.find(unit.process, unit.read_in, unit.read_begin), unit.id);
        connections_.began(unit);
    }
}

void ContextOwners::answering(const request::Unit& unit) {
    const auto found = processes_.find(unit.process);
    ContextRef context = contexts_.find(unit.process, unit.answering_in, unit.first_response);
    if (found != processes_.end() && context != nullptr) {
        found->second.answering.insert_or_assign(unit.id, std::move(context));
    }
}

/// The goroutine that served the unit, which is in flight no longer; null: none that is known.
ContextRef ContextOwners::server_of(const LiveUnit& live, InProcess& process) {
    const auto found = process.readers.find(live.unit.id);
    if (found == process.readers.end()) {
        return nullptr;
    }
    const ContextRef reader = std::move(found->second.goroutine);
    process.readers.erase(found);
    ContextRef server = goroutines::server_of(contexts_.find(live.unit.process, live.unit.answered_in, live.unit.end), reader);
    goroutines::has_read(reader, live.unit.id);
    if (server != nullptr) {
        goroutines::served(*server, live);
    }
    return server;
}

/// The outermost context of the chain that was made while the unit was in flight; null: none was.
ContextRef ContextOwners::root_of(const ContextRef& answered_in, Instant activated) {
    ContextRef root;
    for (ContextRef at = answered_in; at != nullptr && at->made >= activated; at = at->parent) {
        root = at;
    }
    return root;
}

/// The end of a long response may be sent by the loop itself, once there is room again, and its begin by the task that gave it.
ContextRef ContextOwners::root_of(const request::Unit& unit, Instant activated, InProcess& process) {
    const auto answering = process.answering.extract(unit.id);
    const ContextRef by_end = root_of(contexts_.find(unit.process, unit.answered_in, unit.end), activated);
    const ContextRef by_begin = answering ? root_of(answering.mapped(), activated) : nullptr;
    if (by_end != nullptr && by_begin != nullptr && by_end != by_begin) {
        return nullptr;  // whose work it is cannot be told
    }
    return by_end != nullptr ? by_end : by_begin;
}

/// The nearest context, going outwards, that is a unit's root; null: none is.
Context* ContextOwners::claimed(const ContextRef& context) {
    Context* at = context.get();
    while (at != nullptr && at->unit == UnitId{}) {
        at = at->parent.get();
    }
    return at;
}

/// A unit was read or answered in this context. If it is another one's, who goes on in it for whom cannot be told.
void ContextOwners::serves_several(const ContextRef& context, UnitId unit) {
    Context* const claim = claimed(context);
    if (claim != nullptr && claim->unit != unit) {
        claim->answered.reset();
        claim->serves_others = true;
    }
}

/// Whose background work was sent there; without `after`: it is nobody's. What a goroutine makes need not work for it.
Owner ContextOwners::left_behind(const ContextRef& sent_in, Instant sent, Evidence evidence) {
    const bool by_goroutine = evidence == Evidence::goroutine;
    const Context* const claim = claimed(sent_in);
    AnsweredRef by = claim != nullptr && (!by_goroutine || claim == sent_in.get()) ? claim->answered : nullptr;
    double margin = 1;
    if (claim == nullptr && !by_goroutine) {
        by = ConnectionContexts::made_for(sent_in);
        evidence = Evidence::inferred;
        margin = kConnectionMargin;
    }
    return by != nullptr && sent > by->end ? Owner{by->id, evidence, margin, {}, by} : Owner{};
}

/// A goroutine of which it is not known who made it may have read the connection's next request, which its server has begun to
/// serve then.
std::optional<goroutines::LeftBehind> ContextOwners::left_behind_by_goroutine(const ContextRef& context,
                                                                              const request::Exchange& exchange) {
    auto left = goroutines::left_behind(context, exchange.sent, functions_[exchange.process]);
    const auto found = processes_.find(exchange.process);
    if (!left || !left->by_server || left->by == nullptr || found == processes_.end()) {
        return left;
    }
    const auto& readers = found->second.readers;
    if (std::any_of(readers.begin(), readers.end(), [&](const auto& each) { return each.second.socket == left->by->socket; })) {
        return goroutines::LeftBehind{Evidence::ambiguous, true, nullptr};
    }
    return left;
}

/// Whether a unit that was answered in `writer` may have sent something in `sent_in`: its making, or that of a context it was
/// copied from, was not seen; or what there was of it when the unit began is what the writer is or was copied from. Other
/// contexts of that time are those of earlier units' work, or of the server's own.
bool ContextOwners::may_serve(const ContextRef& sent_in, const ContextRef& writer, Instant since) {
    const Context* older = sent_in.get();
    while (older != nullptr && older->made >= since) {
        older = older->parent.get();
    }
    if (older == nullptr || older->made == Instant{} || writer == nullptr) {
        return true;
    }
    const Context* at = writer.get();
    while (at != nullptr && at != older) {
        at = at->parent.get();
    }
    return at == older;
}

/// What stands when no unit has claimed an exchange. Its thread may have served one unit only; but where that unit's own contexts
/// are known, and this was not sent in one, something else ran on the thread.
Owner ContextOwners::without_claim(const Waiting& waiting, UnitId ended, bool others_known) {
    if (waiting.after != nullptr) {
        return {waiting.after->id, waiting.evidence, 1, {}, waiting.after};
    }
    if (Owner left = left_behind(waiting.sent_in, waiting.sent, waiting.evidence); left.after != nullptr) {
        return left;
    }
    if (waiting.fallback.unit != UnitId{} && (waiting.fallback.unit != ended || others_known)) {
        return {{}, Evidence::ambiguous, 0};
    }
    return waiting.fallback;
}

/// Whether the unit that ends sent it, by all that is known of its contexts; and then by what evidence. Empty: not known.
std::optional<Owner> ContextOwners::claimed_by(const Ending& ending, const Waiting& waiting) {
    const LiveUnit& live = ending.live;
    if (waiting.sent > live.unit.end) {
        return std::nullopt;
    }
    const Context* const claim = claimed(waiting.sent_in);
    const bool in_root = claim != nullptr && claim->unit == live.unit.id && !ending.contradicts;
    // The connection's first request may have claimed its context: a WebSocket's handshake.
    const bool free = claim == nullptr || (claim->is_connections && claim->answers_for == live.unit.socket);
    const bool in_connection = free && ending.in_connections && waiting.sent >= live.activated &&
                               ConnectionContexts::is_of(waiting.sent_in, live.unit.socket, live.activated);
    // A goroutine that goes on for the unit before may do so when the first byte of this one has been read ahead.
    if (!in_root && !in_connection &&
        (ending.server == nullptr || waiting.between ||
         !goroutines::works_for(waiting.sent_in, waiting.sent, *ending.server, live, functions_[live.unit.process]))) {
        return std::nullopt;
    }
    const bool agrees = waiting.fallback.unit == live.unit.id && waiting.fallback.evidence == Evidence::thread;
    const Evidence evidence = agrees ? Evidence::thread : in_connection ? Evidence::inferred : waiting.evidence;
    return Owner{live.unit.id, evidence, evidence == Evidence::inferred ? kConnectionMargin : 1};
}

/// Whether what was sent while the unit was in flight, and is not known to be its own, may be its own all the same.
bool ContextOwners::may_be_of(const Ending& ending, const Waiting& waiting) {
    if (!ending.known || ending.contradicts) {
        return true;
    }
    return ending.in_connections && ConnectionContexts::descends_from(waiting.sent_in, ending.live.unit.socket);
}

/// What stands of an exchange that no unit will claim any more.
Owner ContextOwners::unclaimed(const Ending& ending, const Waiting& waiting) {
    const LiveUnit& live = ending.live;
    // The only unit in flight had it made: likely its own, even if it is not known yet whether what it runs goes on.
    const bool likely = ending.server != nullptr && waiting.fallback.unit == live.unit.id &&
                        waiting.fallback.evidence == Evidence::inferred && !waiting.between &&
                        goroutines::descends_from(waiting.sent_in, waiting.sent, *ending.server, live);
    const bool others =
        ending.known || (waiting.evidence == Evidence::context && !may_serve(waiting.sent_in, ending.writer, live.activated));
    return likely ? waiting.fallback : without_claim(waiting, live.unit.id, others);
}

/// Notes whose contexts the unit was answered in.
ContextOwners::Ending ContextOwners::ending(const LiveUnit& live, InProcess& process) {
    const UnitId unit = live.unit.id;
    const bool by_goroutine = event::is_goroutine(live.unit.answered_in);
    Ending made{.live = live};
    const auto begun = process.answering.find(unit);
    const ContextRef begun_in = begun == process.answering.end() ? nullptr : begun->second;
    const ContextRef root = root_of(live.unit, live.activated, process);
    made.contradicts = root != nullptr && root->unit != UnitId{};
    if (root != nullptr && !made.contradicts) {
        root->unit = unit;
        root->serves_others = live.unit.status == kSwitchingProtocols;  // and goes on for what comes after the handshake
        root->answered = root->serves_others ? nullptr : answered(live);
    }
    made.writer = contexts_.find(live.unit.process, live.unit.answered_in, live.unit.end);
    serves_several(made.writer, unit);
    serves_several(begun_in, unit);
    made.server = server_of(live, process);
    if (made.server == nullptr && by_goroutine) {
        goroutines::answers_another(made.writer);
    }
    made.in_connections = !by_goroutine && connections_.ended(live.unit, made.writer);
    if (made.in_connections) {
        ConnectionContexts::served(made.writer, answered(live));
    }
    made.known = root != nullptr || made.server != nullptr || made.in_connections;
    return made;
}

bool ContextOwners::ended(const LiveUnit& live, std::vector<Decision>& decisions) {
    const auto found = processes_.find(live.unit.process);
    if (found == processes_.end()) {
        return true;
    }
    InProcess& process = found->second;
    const UnitId unit = live.unit.id;
    process.active.erase({live.unit.read_begin, unit});
    const Ending ends = ending(live, process);
    const Instant oldest = process.active.empty() ? Instant::max() : process.active.begin()->first;
    std::erase_if(process.waiting, [&](const Waiting& waiting) {
        if (const auto owner = claimed_by(ends, waiting)) {
            decisions.push_back({waiting.exchange, *owner});
            return true;
        }
        if (waiting.fallback.unit == unit || waiting.sent < oldest) {
            decisions.push_back({waiting.exchange, unclaimed(ends, waiting)});
            return true;
        }
        return false;
    });
    const bool all_known = std::none_of(process.waiting.begin(), process.waiting.end(), [&](const Waiting& waiting) {
        return waiting.sent >= live.unit.read_begin && waiting.sent <= live.unit.end && may_be_of(ends, waiting);
    });
    if (process.active.empty() && process.waiting.empty()) {
        processes_.erase(found);
    }
    return all_known;
}

bool ContextOwners::sent(const request::Exchange& exchange, Owner& owner, std::vector<Decision>& decisions) {
    const auto found = processes_.find(exchange.process);
    ContextRef context = contexts_.find(exchange.process, exchange.sent_in, exchange.sent);
    const bool by_goroutine = context != nullptr && event::is_goroutine(exchange.sent_in);
    const Evidence evidence = by_goroutine ? Evidence::goroutine : Evidence::context;
    if (context != nullptr) {
        context->elsewhere = exchange.sent;
        connections_.sent(exchange.process, context);
    }
    auto left = by_goroutine ? left_behind_by_goroutine(context, exchange) : std::nullopt;
    if (context == nullptr) {
        return false;
    }
    if (found == processes_.end()) {  // no unit in flight that might claim it
        const AnsweredRef by = left ? left->by : nullptr;
        Owner after = by != nullptr ? Owner{by->id, evidence, 1, {}, by}
                      : left        ? Owner{}
                                    : left_behind(context, exchange.sent, evidence);
        owner = after.after != nullptr ? std::move(after) : owner;
        return false;
    }
    const Context* const claim = claimed(context);
    if (claim != nullptr && !claim->serves_others) {
        owner = {};  // of a unit that has been answered, unless one that it began claims it
    } else if (left) {
        owner = {{}, left->evidence, 0};
    }
    wait(found->second,
         {exchange.id, std::move(context), exchange.sent, owner, evidence, left ? left->by : nullptr, left && left->by_server},
         decisions);
    return true;
}

void ContextOwners::wait(InProcess& process, Waiting&& waiting, std::vector<Decision>& decisions) {
    std::vector<Waiting>& all = process.waiting;
    const auto place = std::upper_bound(all.begin(), all.end(), waiting.sent,
                                        [](Instant sent, const Waiting& other) { return sent < other.sent; });
    all.insert(place, std::move(waiting));
    if (all.size() > kMostWaiting) {
        decisions.push_back({all.front().exchange, {{}, Evidence::ambiguous, 0}});
        all.erase(all.begin());
    }
}

bool ContextOwners::sent_by(const ContextRef& sender, ExchangeId exchange, ProcessId process, Instant sent, Owner& owner,
                            std::vector<Decision>& decisions) {
    const Context* const claim = claimed(sender);
    if (claim != nullptr && claim->answered != nullptr && sent <= claim->answered->end) {  // which has ended meanwhile
        owner = {claim->unit, Evidence::context, 1};
        return false;
    }
    const auto found = processes_.find(process);
    if (found == processes_.end()) {
        Owner after = left_behind(sender, sent, Evidence::context);
        owner = after.after != nullptr ? std::move(after) : owner;
        return false;
    }
    wait(found->second, {exchange, sender, sent, claim != nullptr ? Owner{} : owner, Evidence::context, nullptr, false},
         decisions);
    return true;
}

bool ContextOwners::certain(const request::Exchange& exchange) {
    const ContextRef context = contexts_.find(exchange.process, exchange.sent_in, exchange.sent);
    return context != nullptr && (context->made > lost_ || (context->service != nullptr && context->service->read > lost_));
}

Instant ContextOwners::decided_until() const {
    Instant until = Instant::max();
    for (const auto& [id, process] : processes_) {
        until = process.waiting.empty() ? until : std::min(until, process.waiting.front().sent);
    }
    return until;
}

void ContextOwners::finish(std::vector<Decision>& decisions) {
    for (auto& [id, process] : processes_) {
        for (const Waiting& waiting : process.waiting) {
            decisions.push_back({waiting.exchange, without_claim(waiting, {}, false)});
        }
    }
    processes_.clear();
}

}  // namespace timesink::attribute
