#include "request/jobs.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace timesink::request {

namespace {

/// Workers have tens of jobs in hand; queues may be filled with far more than will be worked on while we look.
constexpr std::size_t kMostOpen = 65536;
constexpr std::size_t kMostAdded = 65536;
constexpr std::size_t kMostSettled = 256;  ///< between a call that adds and its answer

/// A job is a line of its own, on which nothing is pipelined. Sockets are counted from 1.
constexpr std::uint64_t kLines = std::uint64_t{1} << 62;

std::string_view does(const Exchange& exchange) {
    return proto::value_of(exchange.attributes, "messaging.operation.type");
}

}  // namespace

void Jobs::recognise(Exchange& exchange) {
    const std::string_view what = does(exchange);
    exchange.moves_jobs = what == "receive" || what == "settle";
    exchange.adds_job = what == "send";
}

Jobs::Key Jobs::key_of(const Exchange& exchange, std::string_view id, ProcessId process) {
    return {.process = process,
            .port = exchange.remote.port,
            .queue = std::string(proto::value_of(exchange.attributes, "messaging.destination.name")),
            .id = std::string(id)};
}

/// One call may add many, to several queues: each id is of the queue that was named last.
void Jobs::all_added(const Exchange& exchange) {
    std::string_view queue;
    for (const auto& [name, value] : exchange.attributes) {
        if (name == "messaging.destination.name") {
            queue = value;
        } else if (name == "messaging.answered.id") {
            added(exchange, {.port = exchange.remote.port, .queue = std::string(queue), .id = value});
        }
    }
}

/// An idle worker may have it, and may be done with it, before whoever added it has read that it is there.
void Jobs::added(const Exchange& exchange, Key key) {
    const auto settled = std::find_if(settled_.begin(), settled_.end(), [&](const Settled& each) {
        return each.key.id == key.id && each.key.queue == key.queue && each.key.port == key.port && each.begin >= exchange.sent;
    });
    if (settled != settled_.end()) {
        added_late_.push_back({settled->job, exchange.id, exchange.sent});
        settled_.erase(settled);
        return;
    }
    const auto taken = std::find_if(open_.begin(), open_.end(), [&](const auto& each) {
        const Key& its = each.first;
        return its.id == key.id && its.queue == key.queue && its.port == key.port && each.second.unit.added_by == ExchangeId{};
    });
    if (taken != open_.end()) {
        taken->second.unit.added_by = exchange.id;
        taken->second.unit.added = exchange.sent;
        return;
    }
    oldest_added_.push_back(key);
    added_.insert_or_assign(std::move(key), Added{exchange.id, exchange.sent});
    if (oldest_added_.size() > kMostAdded) {
        added_.erase(oldest_added_.front());
        oldest_added_.pop_front();
    }
}

/// Its key stays in the order of the oldest: to find it there would take longer than to let it grow old.
void Jobs::join(Unit& unit, Key key) {
    key.process = {};
    if (const auto found = added_.find(key); found != added_.end()) {
        unit.added_by = found->second.exchange;
        unit.added = found->second.at;
        added_.erase(found);
    }
}

Unit* Jobs::taken(const Exchange& exchange, std::optional<Unit>& before) {
    const std::string_view id = proto::value_of(exchange.attributes, "messaging.answered.id");
    if (id.empty() || !exchange.error.empty()) {
        return nullptr;
    }
    if (exchange.adds_job) {
        all_added(exchange);
        return nullptr;
    }
    const Key key = key_of(exchange, id, exchange.process);
    if (const auto known = open_.find(key); known != open_.end()) {
        before = give_up(known, Exclusion::unfinished);
    } else if (open_.size() >= kMostOpen) {
        return nullptr;
    }
    Open& open = open_[key];
    open.connection = exchange.socket;
    Unit& unit = open.unit;
    unit.kind = UnitKind::job;
    unit.protocol = exchange.protocol;
    unit.method = "PROCESS";
    const std::string_view name = proto::value_of(exchange.attributes, "messaging.answered.name");
    unit.path = "/" + key.queue + (name.empty() ? "" : "/") + std::string(name);
    unit.route = routes_.route(unit.method, unit.path);
    unit.server.address = "queue " + key.queue;
    unit.network_namespace = exchange.network_namespace;
    unit.process = exchange.process;
    unit.thread = exchange.read_by;
    unit.begin = exchange.arrived;
    unit.request_arrived = exchange.arrived_end;
    unit.read_begin = exchange.read_begin;
    unit.read_end = exchange.read_end;
    unit.bytes_in = exchange.bytes_in;
    unit.exclusion = exchange.touched_by_loss ? Exclusion::loss : Exclusion::none;
    unit.socket = SocketId{kLines + number(exchange.id)};
    unit.attributes = {{"messaging.destination.name", key.queue}, {"messaging.message.id", key.id}};
    join(unit, key);
    return &unit;
}

std::optional<Unit> Jobs::settled(const Exchange& exchange) {
    if (does(exchange) != "settle") {
        return std::nullopt;
    }
    const auto found =
        open_.find(key_of(exchange, proto::value_of(exchange.attributes, "messaging.message.id"), exchange.process));
    if (found == open_.end()) {
        return std::nullopt;
    }
    Unit unit = std::move(found->second.unit);
    if (unit.added_by == ExchangeId{}) {
        settled_.push_back({found->first, unit.id, unit.begin});
        if (settled_.size() > kMostSettled) {
            settled_.pop_front();
        }
    }
    open_.erase(found);
    unit.answered_by = exchange.sent_by;
    unit.answering_in = unit.answered_in = exchange.sent_in;
    unit.first_response = exchange.sent;
    unit.end = exchange.sent_end;
    unit.bytes_out = exchange.bytes_out;
    unit.complete = true;
    unit.error = proto::value_of(exchange.attributes, "messaging.settled");
    return unit;
}

std::optional<Unit> Jobs::give_up(std::map<Key, Open>::iterator at, Exclusion why) {
    Unit unit = std::move(at->second.unit);
    open_.erase(at);
    unit.exclusion = unit.exclusion == Exclusion::none ? why : unit.exclusion;
    unit.error = "not settled";
    return unit;
}

std::optional<Unit> Jobs::left(SocketId connection, Exclusion why) {
    const auto found =
        std::find_if(open_.begin(), open_.end(), [connection](const auto& each) { return each.second.connection == connection; });
    return found == open_.end() ? std::nullopt : give_up(found, why);
}

std::optional<Unit> Jobs::left() {
    return open_.empty() ? std::nullopt : give_up(open_.begin(), Exclusion::unfinished);
}

}  // namespace timesink::request
