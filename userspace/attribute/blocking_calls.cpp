#include "attribute/blocking_calls.hpp"

#include <algorithm>

#include "attribute/system_calls.hpp"

namespace timesink::attribute {

void BlockingCalls::on(const event::Call& call) {
    const bool moves = call.operation == TS_OPERATION_READ || call.operation == TS_OPERATION_WRITE ||
                       call.operation == TS_OPERATION_ACCEPT || call.operation == TS_OPERATION_CONNECT;
    OnThread* const thread = moves ? threads_.find(call.thread) : nullptr;
    if (thread != nullptr && thread->open != ExchangeId{} && call.socket != thread->socket) {
        thread->in_company = true;
    }
}

void BlockingCalls::on(const event::OffCpu& off) {
    OnThread* const thread =
        off.woken > off.off && wait_kind(off.syscall) == WaitKind::poll ? threads_.find(off.thread) : nullptr;
    if (thread == nullptr) {
        return;
    }
    if (thread->open == ExchangeId{}) {
        thread->works_for = {};
    } else if (waits_in_epoll(off.syscall)) {
        thread->in_company = true;
    }
}

void BlockingCalls::began(const request::Unit& unit) {
    OnThread& thread = threads_[unit.thread];
    thread.works_for = unit.id;
    ++thread.in_flight;
}

void BlockingCalls::ended(const request::Unit& unit) {
    OnThread* const thread = threads_.find(unit.thread);
    if (thread == nullptr) {
        return;
    }
    thread->in_flight -= std::min<std::uint32_t>(thread->in_flight, 1);
    for (UnitId* const named : {&thread->works_for, &thread->asked_for}) {
        *named = *named == unit.id ? UnitId{} : *named;
    }
}

UnitId BlockingCalls::of(const request::Exchange& exchange) const {
    const OnThread* const thread = threads_.find(exchange.sent_by);
    if (thread == nullptr || exchange.shared || exchange.engine != nullptr) {
        return {};
    }
    const bool blocks = thread->alone >= kSeen && thread->company * kOneIn <= thread->alone;
    return blocks ? thread->works_for : UnitId{};
}

void BlockingCalls::sent(const request::Exchange& exchange) {
    OnThread* const thread = threads_.find(exchange.sent_by);
    if (thread == nullptr || exchange.engine != nullptr) {
        return;
    }
    // Sent while another is not answered: on the same connection that is a pipeline, which waits for all.
    if (thread->open != ExchangeId{} && thread->tells && thread->socket != exchange.socket) {
        ++thread->company;
    }
    thread->asked_for = thread->works_for;
    thread->open = exchange.id;
    thread->socket = exchange.socket;
    thread->tells = thread->in_flight > 1;
    thread->in_company = thread->works_for == UnitId{};
}

void BlockingCalls::answered(const request::Exchange& exchange) {
    OnThread* const thread = threads_.find(exchange.sent_by);
    if (thread == nullptr || thread->open != exchange.id) {
        return;
    }
    thread->open = {};
    thread->works_for = thread->asked_for;
    if (thread->tells) {
        ++(thread->in_company ? thread->company : thread->alone);
    }
}

void BlockingCalls::lost() {
    threads_.for_each([](ThreadId, OnThread& thread) { thread = {}; });
}

}  // namespace timesink::attribute
