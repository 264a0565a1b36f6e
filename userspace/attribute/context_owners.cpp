#include "attribute/context_owners.hpp"

#include <algorithm>
#include <utility>

namespace timesink::attribute {

void ContextOwners::lost(Instant at) {
    lost_ = std::max(lost_, at);
    contexts_.lost();
}

void ContextOwners::ended(ProcessId process) {
    contexts_.ended(process);
}

void ContextOwners::began(const LiveUnit& live) {
    processes_[live.unit.process].active.emplace(live.unit.read_begin, live.unit.id);
}

/// The outermost context of the chain that was made while the unit was in flight; null: none was.
ContextRef ContextOwners::root_of(const ContextRef& answered_in, Instant activated) {
    ContextRef root;
    for (ContextRef at = answered_in; at != nullptr && at->made >= activated; at = at->parent) {
        root = at;
    }
    return root;
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
    const ContextRef root = root_of(contexts_.find(live.unit.process, live.unit.answered_in, end), live.activated);
    const bool contradicts = root != nullptr && root->unit != UnitId{};
    if (root != nullptr && !contradicts) {
        root->unit = unit;
    }
    const Instant oldest = process.active.empty() ? Instant::max() : process.active.begin()->first;
    std::erase_if(process.waiting, [&](const Waiting& waiting) {
        const Context* claim = claimed(waiting.sent_in);
        if (claim != nullptr && claim->unit == unit && !contradicts && waiting.sent <= end) {
            const bool agrees = waiting.fallback.unit == unit && waiting.fallback.evidence == Evidence::thread;
            decisions.push_back({waiting.exchange, {unit, agrees ? Evidence::thread : Evidence::context, 1}});
            return true;
        }
        if (waiting.fallback.unit == unit || waiting.sent < oldest) {
            decisions.push_back({waiting.exchange, without_claim(waiting, unit, root != nullptr)});
            return true;
        }
        return false;
    });
    const bool all_known = (root != nullptr && !contradicts) ||
                           std::none_of(process.waiting.begin(), process.waiting.end(), [&](const Waiting& waiting) {
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
    if (context == nullptr || found == processes_.end()) {
        return false;  // no unit in flight, or nothing to go by
    }
    if (claimed(context) != nullptr) {
        owner = {};  // in the background of a unit that has been answered, unless one that it began claims it
    }
    std::vector<Waiting>& waiting = found->second.waiting;
    waiting.push_back({exchange.id, std::move(context), exchange.sent, owner});
    if (waiting.size() > kMostWaiting) {
        decisions.push_back({waiting.front().exchange, {{}, Evidence::ambiguous, 0}});
        waiting.erase(waiting.begin());
    }
    return true;
}

bool ContextOwners::certain(const request::Exchange& exchange) {
    const ContextRef context = contexts_.find(exchange.process, exchange.sent_in, exchange.sent);
    return context != nullptr && context->made > lost_;
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
