#include "attribute/connection_contexts.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace timesink::attribute {

namespace {

constexpr std::uint32_t kRepeatedly = 2;  ///< units answered, before a context is taken for a connection's
constexpr std::size_t kMostRoutes = 256;  ///< that go on after their answer; if more do, any may
constexpr unsigned kSeveral = 2;          ///< such contexts, before that is taken for how the server does it

}  // namespace

void ConnectionContexts::began(const request::Unit& unit) {
    Line& line = processes_[unit.process].lines[unit.socket];
    line.side_by_side = line.side_by_side || line.in_flight > 0;
    ++line.in_flight;
}

void ConnectionContexts::sent(ProcessId process, const ContextRef& sent_in) {
    Instant oldest = Instant::max();  // of the copies: a task of its own, which the unit left behind, is no matter
    const Context* own = sent_in.get();
    while (own != nullptr && !own->is_connections) {
        oldest = std::min(oldest, own->made);
        own = own->parent.get();
    }
    if (own == nullptr) {
        return;
    }
    const auto found = processes_.find(process);
    if (found != processes_.end() && oldest >= own->latest_end && found->second.lines.find(own->answers_for) == nullptr &&
        found->second.go_on.size() <= kMostRoutes) {
        found->second.go_on.insert(own->latest_route);
    }
}

void ConnectionContexts::answers_for_several(Context& context, InProcess& process) {
    process.own -= context.counts_as_connections && process.own > 0 ? 1 : 0;  // one from before a loss counts no more
    context.counts_as_connections = false;
    context.answers_for_several = true;
    context.is_connections = false;
}

void ConnectionContexts::lost() {
    for (auto& [id, process] : processes_) {
        process.lines = {};
        process.own = 0;
    }
}

bool ConnectionContexts::ended(const request::Unit& unit, const ContextRef& writer) {
    InProcess& process = processes_[unit.process];
    bool alone = false;
    if (Line* const line = process.lines.find(unit.socket)) {
        alone = !line->side_by_side;
        if (--line->in_flight == 0) {
            process.lines.erase(unit.socket);
        }
    }
    Context* outermost = nullptr;
    for (Context* at = writer.get(); at != nullptr && !at->answers_for_several; at = at->parent.get()) {
        at->answers_for = at->units_answered == 0 ? unit.socket : at->answers_for;
        ++at->units_answered;
        if (at->answers_for != unit.socket) {
            answers_for_several(*at, process);  // and so does what it was copied from
        } else {
            outermost = at;
        }
    }
    if (outermost == nullptr) {
        return false;
    }
    const bool repeatedly = outermost->units_answered > kRepeatedly;
    if (repeatedly && !outermost->counts_as_connections) {
        outermost->counts_as_connections = true;
        ++process.own;
    }
    // A task that was made for this unit branches off, too, where it is made in what all connections go through.
    const bool branches_off =
        outermost->made <= unit.read_begin && outermost->parent != nullptr && outermost->parent->answers_for_several;
    if (process.own < kSeveral || !(repeatedly || branches_off)) {
        return false;
    }
    const bool may_go_on = process.go_on.size() > kMostRoutes || process.go_on.contains(outermost->latest_route);
    for (Context* at = writer.get(); at != outermost->parent.get(); at = at->parent.get()) {
        // Not what was made for this unit only.
        at->is_connections = at->units_answered > kRepeatedly || (branches_off && at == outermost);
        at->latest_route = std::hash<std::string>{}(unit.route);
        at->latest_end = unit.end;
    }
    return alone && !may_go_on;
}

void ConnectionContexts::served(const ContextRef& writer, const AnsweredRef& unit) {
    for (Context* at = writer.get(); at != nullptr && unit != nullptr; at = at->parent.get()) {
        if (at->is_connections && at->answers_for == unit->socket) {
            if (at->served.size() == kMostServed) {
                at->served.erase(at->served.begin());
            }
            at->served.push_back(unit);
        }
    }
}

AnsweredRef ConnectionContexts::made_for(const ContextRef& sent_in) {
    const Context* copy = sent_in.get();
    while (copy != nullptr && copy->parent != nullptr && !copy->parent->is_connections) {
        copy = copy->parent.get();
    }
    if (copy == nullptr || copy->parent == nullptr || copy->is_connections) {
        return nullptr;
    }
    const auto& served = copy->parent->served;
    const auto found = std::find_if(served.begin(), served.end(), [copy](const AnsweredRef& unit) {
        return unit->activated <= copy->made && copy->made <= unit->end;
    });
    return found == served.end() ? nullptr : *found;
}

bool ConnectionContexts::is_of(const ContextRef& sent_in, SocketId connection, Instant since) {
    const Context* at = sent_in.get();
    while (at != nullptr && at->made >= since) {
        at = at->parent.get();
    }
    return at != nullptr && at->is_connections && at->answers_for == connection;
}

bool ConnectionContexts::descends_from(const ContextRef& sent_in, SocketId connection) {
    const Context* at = sent_in.get();
    while (at != nullptr && !(at->is_connections && at->answers_for == connection)) {
        at = at->parent.get();
    }
    return at != nullptr;
}

}  // namespace timesink::attribute
