#include "attribute/context_owners.hpp"

#include <algorithm>
#include <utility>

namespace timesink::attribute {

void ContextOwners::on(const event::Lineage& lineage) {
    if (event::is_birth_name(lineage.child)) {
        const ContextRef before = contexts_.find(lineage.process, lineage.child, lineage.at);
        if (before != nullptr && before->start != 0) {
            functions_[lineage.process].ended(before->start);
        }
    }
    contexts_.on(lineage);
}

void ContextOwners::lost(Instant at) {
    lost_ = std::max(lost_, at);
    contexts_.lost();
}

void ContextOwners::ended(ProcessId process) {
    contexts_.ended(process);
    functions_.erase(process);
}

void ContextOwners::began(const LiveUnit& live) {
    const request::Unit& unit = live.unit;
    InProcess& process = processes_[unit.process];
    process.active.emplace(unit.read_begin, unit.id);
    if (event::is_goroutine(unit.read_in)) {
        if (const ContextRef reader = contexts_.find(unit.process, unit.read_in, unit.read_begin)) {
            goroutines::reads(reader, unit);
            process.readers.emplace(unit.id, reader);
        }
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
    const ContextRef reader = std::move(found->second);
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
const Context* ContextOwners::claimed(const ContextRef& context) {
    const Context* at = context.get();
    while (at != nullptr && at->unit == UnitId{}) {
        at = at->parent.get();
    }
    return at;
}

/// What stands when no unit has claimed an exchange. Its thread may have served one unit only; but where that unit's root is
/// known, and this was not sent in it, something else ran on the thread.
Owner ContextOwners::without_claim(const Waiting& waiting, UnitId ended, bool root_known) {
    if (waiting.fallback.unit != UnitId{} && (waiting.fallback.unit != ended || root_known)) {
        return {{}, Evidence::ambiguous, 0};
    }
    return waiting.fallback;
}

bool ContextOwners::ended(const LiveUnit& live, std::vector<Decision>& decisions) {
    const auto found = processes_.find(live.unit.process);
    if (found == processes_.end()) {
        return true;
    }
    InProcess& process = found->second;
    process.active.erase({live.unit.read_begin, live.unit.id});
    const UnitId unit = live.unit.id;
    const Instant end = live.unit.end;
    const ContextRef root = root_of(live.unit, live.activated, process);
    const bool contradicts = root != nullptr && root->unit != UnitId{};
    if (root != nullptr && !contradicts) {
        root->unit = unit;
    }
    const ContextRef server = server_of(live, process);
    const bool known = root != nullptr || server != nullptr;
    const Instant oldest = process.active.empty() ? Instant::max() : process.active.begin()->first;
    std::erase_if(process.waiting, [&](const Waiting& waiting) {
        const Context* claim = claimed(waiting.sent_in);
        const bool in_root = claim != nullptr && claim->unit == unit && !contradicts && waiting.sent <= end;
        if (in_root || (server != nullptr && waiting.sent <= end &&
                        goroutines::works_for(waiting.sent_in, waiting.sent, *server, live, functions_[live.unit.process]))) {
            const bool agrees = waiting.fallback.unit == unit && waiting.fallback.evidence == Evidence::thread;
            decisions.push_back({waiting.exchange, {unit, agrees ? Evidence::thread : waiting.evidence, 1}});
            return true;
        }
        if (waiting.fallback.unit == unit || waiting.sent < oldest) {
            decisions.push_back({waiting.exchange, without_claim(waiting, unit, known)});
            return true;
        }
        return false;
    });
    const bool all_known =
        (known && !contradicts) || std::none_of(process.waiting.begin(), process.waiting.end(), [&](const Waiting& waiting) {
            return waiting.sent >= live.unit.read_begin && waiting.sent <= end;
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
    const auto left = by_goroutine ? goroutines::left_behind(context, exchange.sent, functions_[exchange.process]) : std::nullopt;
    if (context == nullptr || found == processes_.end()) {
        return false;  // no unit in flight, or nothing to go by
    }
    if (claimed(context) != nullptr) {
        owner = {};  // in the background of a unit that has been answered, unless one that it began claims it
    } else if (left) {
        owner = {{}, *left, 0};
    }
    std::vector<Waiting>& waiting = found->second.waiting;
    waiting.push_back(
        {exchange.id, std::move(context), exchange.sent, owner, by_goroutine ? Evidence::goroutine : Evidence::context});
    if (waiting.size() > kMostWaiting) {
        decisions.push_back({waiting.front().exchange, {{}, Evidence::ambiguous, 0}});
        waiting.erase(waiting.begin());
    }
    return true;
}

bool ContextOwners::certain(const request::Exchange& exchange) {
    const ContextRef context = contexts_.find(exchange.process, exchange.sent_in, exchange.sent);
    return context != nullptr && (context->made > lost_ || (context->service != nullptr && context->service->read > lost_));
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
