#include "attribute/interchange.hpp"

namespace timesink::attribute {

bool Interchange::answered(const request::Exchange& exchange) {
    // A connection that several use at once is read by one of them for all.
    const bool tells = exchange.complete && !exchange.shared && exchange.engine == nullptr;
    return tells && passed(exchange.process, exchange.sent_by, exchange.read_by);
}

void Interchange::exited(ThreadId thread, ProcessId process) {
    const auto found = processes_.find(process);
    if (found != processes_.end()) {
        found->second.readers.erase(thread);
        found->second.gave.erase(thread);
        found->second.took.erase(thread);
    }
}

bool Interchange::passed(ProcessId process, ThreadId from, ThreadId to) {
    const auto found = processes_.find(process);
    if (found == processes_.end() || found->second.known) {
        return false;
    }
    InProcess& seen = found->second;
    if (!seen.readers.contains(from) || !seen.readers.contains(to)) {
        return false;
    }
    ++(from == to ? seen.kept : seen.passed);
    if (from != to) {
        seen.gave.insert(from);
        seen.took.insert(to);
        seen.mutual = seen.mutual || seen.gave.contains(to) || seen.took.contains(from);
    }
    seen.known = seen.mutual && seen.passed >= kSeen && seen.passed * kOneIn >= seen.passed + seen.kept;
    return seen.known;
}

}  // namespace timesink::attribute
