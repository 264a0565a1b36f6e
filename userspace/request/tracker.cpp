#include "request/tracker.hpp"

#include <algorithm>
#include <array>
#include <memory>

namespace timesink::request {

namespace {

constexpr std::size_t kMaximumOpen = 4096;  // of one connection; beyond, the oldest are given up (a peer that never answers)
constexpr std::size_t kMostSpare = 64;

void append(proto::Attributes& to, const proto::Attributes& from) {
    to.insert(to.end(), from.begin(), from.end());
}

/// Adds an element, in a spare node where there is one. Null: that key is taken.
template <typename Map>
typename Map::mapped_type* add(Map& to, proto::Correlation key, std::vector<typename Map::node_type>& spare) {
    if (spare.empty()) {
        const auto [at, inserted] = to.try_emplace(key);
        return inserted ? &at->second : nullptr;
    }
    typename Map::node_type node = std::move(spare.back());
    spare.pop_back();
    node.key() = key;
    std::destroy_at(&node.mapped());
    std::construct_at(&node.mapped());
    auto result = to.insert(std::move(node));
    return result.inserted ? &result.position->second : nullptr;
}

template <typename Map>
void remove(Map& from, typename Map::iterator at, std::vector<typename Map::node_type>& spare) {
    if (spare.size() < kMostSpare) {
        spare.push_back(from.extract(at));
    } else {
        from.erase(at);
    }
}

std::uint64_t bytes_of(const proto::End& end, std::uint64_t begin) {
    return end.bytes > 0 ? end.bytes : end.end - begin;
}

/// An answer of gRPC that is no failure of the server, as 4xx are none (OpenTelemetry: all but UNKNOWN, DEADLINE_EXCEEDED,
/// UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS).
bool is_clients_fault(const proto::End& end) {
    static constexpr std::array<std::string_view, 6> kServers = {"2", "4", "12", "13", "14", "15"};
    return std::any_of(end.attributes.begin(), end.attributes.end(), [](const auto& attribute) {
        return attribute.first == "rpc.grpc.status_code" &&
               std::find(kServers.begin(), kServers.end(), attribute.second) == kServers.end();
    });
}

/// `at`: an open unit or exchange.
template <typename Open>
void watch_response(Open& at, const proto::Head& head) {
    if (at.watch != nullptr) {
        at.watch->response(head);
    } else {
        at.watch = AnswerWatch::of_response(head);
    }
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find('?'));
}

}  // namespace

void Tracker::head(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte) {
    if (head.direction == proto::Direction::request) {
        request_head(connection, head, first_byte);
        return;
    }
    PerConnection& open = open_[connection.id()];
    if (connection.role() == net::Role::server) {
        unit_response(open, head, first_byte);
    } else {
        exchange_response(open, head, first_byte);
    }
}

void Tracker::request_head(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte) {
    if (connection.role() == net::Role::server) {
        if (head.housekeeping && connection.protocol() == "tls") {
            return;  // a handshake is no work for anyone
        }
        begin_unit(connection, head, first_byte);
    } else if (head.expects_response || !head.housekeeping) {
        begin_exchange(connection, head, first_byte);
    }
}

void Tracker::begin_unit(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte) {
    PerConnection& open = open_[connection.id()];
    OpenUnit* const fresh = add(open.units, head.correlation, spare_units_);
    if (fresh == nullptr) {
        return;  // a parser gives each number once
    }
    fresh->request_begin = head.begin;
    Unit& unit = fresh->unit;
    unit.id = listener_.next_unit();
    unit.protocol = connection.protocol();
    unit.method = head.operation;
    unit.path = path_of(head.target);
    const bool nameless = unit.protocol == "http" && head.target.empty();
    unit.route = nameless ? std::string(kPathNotKnown) : routes_.route(unit.method, unit.path);
    unit.client = connection.remote();
    unit.server = connection.local();
    unit.socket = connection.id();
    unit.network_namespace = connection.summary().network_namespace;
    unit.position = head.begin;
    unit.process = first_byte.process;
    unit.thread = first_byte.thread;
    unit.read_in = first_byte.context;
    if (!open.used) {
        unit.connected = connection.connected();
        unit.accepted = connection.accepted();
        open.used = true;
    }
    unit.begin = first_byte.arrived;
    unit.read_begin = first_byte.exited;
    unit.attributes = head.attributes;
    if (!first_byte.known || unit.begin < attached_ || (!first_byte.arrival_known && connection.opened_before_attach())) {
        unit.exclusion = Exclusion::older_than_attach;
    } else if (!first_byte.arrival_known) {
        unit.exclusion = Exclusion::loss;
    }
    listener_.began(unit);
    if (open.units.size() > kMaximumOpen) {
        Unit oldest = std::move(open.units.begin()->second.unit);
        open.units.erase(open.units.begin());
        oldest.exclusion = Exclusion::unfinished;
        listener_.ended(std::move(oldest));
    }
}

void Tracker::begin_exchange(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte) {
    PerConnection& open = open_[connection.id()];
    OpenExchange* const fresh = add(open.exchanges, head.correlation, spare_exchanges_);
    if (fresh == nullptr) {
        return;
    }
    fresh->request_begin = head.begin;
    Exchange& exchange = fresh->exchange;
    exchange.id = next_exchange();
    exchange.protocol = connection.protocol();
    name_exchange(exchange, head);
    if (exchange.protocol == "http" && !head.target.empty()) {
        exchange.likeness = fingerprint_of(head.operation + ' ' + std::string(path_of(head.target)));
    }
    if (exchange.protocol == "http") {
        fresh->storage = StorageWatch::of_request(head);
    }
    if (fresh->storage != nullptr) {
        name_storage(exchange, fresh->storage->call());
    }
    exchange.local = connection.local();
    exchange.remote = connection.remote();
    exchange.socket = connection.id();
    exchange.network_namespace = connection.summary().network_namespace;
    exchange.position = head.begin;
    exchange.process = first_byte.process;
    exchange.sent_by = first_byte.thread;
    // Where requests share a connection at the same time (HTTP/2), whoever writes next writes what others have queued as well. A
    // goroutine writes its own, under a lock (x/net/http2).
    exchange.shared = !head.answers_in_order && first_byte.context != ContextId{} && !event::is_goroutine(first_byte.context);
    Jobs::recognise(exchange);
    exchange.sent_in = exchange.shared ? ContextId{} : first_byte.context;
    exchange.one_way = !head.expects_response;
    if (!open.used) {
        exchange.connect_began = connection.connect_began();
        exchange.connected = connection.connected();
        attempts_.spoke(exchange.remote, exchange.protocol);
        open.used = true;
    }
    exchange.sent = exchange.server_free = first_byte.entered;
    exchange.sent_end = first_byte.exited;
    exchange.touched_by_loss = !first_byte.known;
    fresh->watch = fresh->storage != nullptr ? nullptr : AnswerWatch::of_request(head);
    listener_.sent(exchange);
    carry(*fresh, connection, head.begin);
    if (std::optional<Unit> job = jobs_.settled(exchange)) {
        listener_.ended(std::move(*job));
    }
    if (open.exchanges.size() > kMaximumOpen) {
        Exchange oldest = std::move(open.exchanges.begin()->second.exchange);
        open.exchanges.erase(open.exchanges.begin());
        oldest.error = "no answer";
        listener_.answered(std::move(oldest));
    }
}

/// Once for each frame.
void Tracker::carry(OpenExchange& at, const net::Connection& connection, std::uint64_t frame) {
    if (!at.exchange.shared || frame == 0 || frame == at.carried) {
        return;
    }
    at.carried = frame;
    const net::Moment now = connection.moment(proto::Direction::request, frame);
    listener_.carried({.exchange = at.exchange.id,
                       .socket = at.exchange.socket,
                       .process = now.process,
                       .writer = now.context,
                       .at = now.entered,
                       .begins_call = now.begins_call});
}

void Tracker::unit_response(PerConnection& open, const proto::Head& head, const net::Moment& first_byte) {
    const auto found = open.units.find(head.correlation);
    if (found == open.units.end()) {
        return;
    }
    OpenUnit& at = found->second;
    at.answering = true;
    at.response_begin = head.begin;
    at.unit.status = head.status;
    at.unit.error = head.error;
    at.unit.first_response = first_byte.entered;
    at.unit.answering_in = first_byte.context;
    append(at.unit.attributes, head.attributes);
    watch_response(at, head);
    listener_.answering(at.unit);
}

void Tracker::exchange_response(PerConnection& open, const proto::Head& head, const net::Moment& first_byte) {
    const auto found = open.exchanges.find(head.correlation);
    if (found == open.exchanges.end()) {
        return;
    }
    OpenExchange& at = found->second;
    at.answering = true;
    at.response_begin = head.begin;
    Exchange& exchange = at.exchange;
    exchange.status = head.status;
    exchange.error = head.error;
    exchange.arrived = exchange.arrived_end = first_byte.arrived;
    exchange.read_begin = exchange.read_end = first_byte.exited;
    exchange.read_by = first_byte.thread;
    exchange.touched_by_loss = exchange.touched_by_loss || !first_byte.arrival_known;
    // Behind others on this connection: the server could not begin before it had answered them.
    if (head.answers_in_order) {
        exchange.server_free = std::clamp(open.latest_answer, exchange.sent, std::max(exchange.sent, exchange.arrived));
    }
    append(exchange.attributes, head.attributes);
    if (at.storage != nullptr) {
        at.storage->response(head);
    } else {
        watch_response(at, head);
    }
}

void Tracker::end(net::Connection& connection, const proto::End& end, const net::Moment& last_byte) {
    if (connection.role() == net::Role::server) {
        end_unit_message(connection, end, last_byte);
    } else {
        end_exchange_message(connection, end, last_byte);
    }
}

void Tracker::end_unit_message(const net::Connection& connection, const proto::End& end, const net::Moment& last_byte) {
    PerConnection& open = open_[connection.id()];
    const auto found = open.units.find(end.correlation);
    if (found == open.units.end()) {
        return;
    }
    OpenUnit& at = found->second;
    Unit& unit = at.unit;
    append(unit.attributes, end.attributes);
    if (end.direction == proto::Direction::request) {
        unit.bytes_in = bytes_of(end, at.request_begin);
        unit.request_arrived = last_byte.arrived;
        unit.read_end = last_byte.exited;
        return;
    }
    if (unit.read_end == Instant{}) {  // answered before the request was whole
        unit.bytes_in = connection.position(proto::Direction::request) - at.request_begin;
    }
    unit.bytes_out = bytes_of(end, at.response_begin);
    unit.answered_by = last_byte.thread;
    unit.answered_in = last_byte.context;
    unit.end = last_byte.exited;
    unit.complete = end.complete && at.answering && last_byte.known;
    if (at.watch != nullptr) {
        at.watch->finish(end.end, {});
        unit.stream = at.watch->stream();
        at.watch.reset();  // the node may lie spare for long
    }
    if (!end.error.empty() && !is_clients_fault(end)) {
        unit.error = end.error;
    }
    if (!unit.complete && unit.exclusion == Exclusion::none) {
        unit.exclusion = last_byte.known ? Exclusion::unfinished : Exclusion::loss;
    }
    listener_.ended(std::move(unit));
    remove(open.units, found, spare_units_);
}

void Tracker::end_exchange_message(const net::Connection& connection, const proto::End& end, const net::Moment& last_byte) {
    PerConnection& open = open_[connection.id()];
    const auto found = open.exchanges.find(end.correlation);
    if (found == open.exchanges.end()) {
        return;
    }
    OpenExchange& at = found->second;
    Exchange& exchange = at.exchange;
    for (const auto& attribute : end.attributes) {
        attribute.first == "kafka.topic" ? topics_.learn(attribute.second) : exchange.attributes.push_back(attribute);
    }
    if (end.direction == proto::Direction::request) {
        exchange.bytes_out = bytes_of(end, at.request_begin);
        exchange.body_out = exchange.protocol == "http" ? end.body_bytes : 0;
        exchange.sent_end = last_byte.known ? last_byte.exited : exchange.sent_end;
        carry(at, connection, end.frame);
        if (exchange.one_way) {
            sent_one_way(open, found, end, last_byte);
        }
        return;
    }
    exchange.bytes_in = bytes_of(end, at.response_begin);
    exchange.body_in = exchange.protocol == "http" ? end.body_bytes : 0;
    exchange.rows = end.rows;
    exchange.columns = end.columns;
    exchange.complete = end.complete && at.answering && last_byte.known;
    if (last_byte.known) {
        exchange.arrived_end = std::max(exchange.arrived, last_byte.arrived);
        exchange.read_end = last_byte.exited;
        exchange.read_by = last_byte.thread;
        exchange.touched_by_loss = exchange.touched_by_loss || !last_byte.arrival_known;
    }
    if (!end.error.empty()) {
        exchange.error = end.error;
    }
    for (const auto& [key, value] : exchange.attributes) {
        const bool told = key == "postgresql.transaction" || key == "mysql.transaction";
        exchange.in_transaction = exchange.in_transaction || (told && value != "I");
    }
    conclude(at, end.end);
    open.latest_answer = std::max(open.latest_answer, exchange.arrived_end);
    tell_answered(std::move(exchange));
    remove(open.exchanges, found, spare_exchanges_);
}

/// Nothing more will come of it.
void Tracker::sent_one_way(PerConnection& open, OpenExchanges::iterator at, const proto::End& end, const net::Moment& last_byte) {
    Exchange& exchange = at->second.exchange;
    exchange.arrived = exchange.arrived_end = exchange.read_begin = exchange.read_end = exchange.sent_end;
    exchange.read_by = last_byte.known ? last_byte.thread : exchange.sent_by;
    exchange.complete = end.complete && last_byte.known;
    conclude(at->second, end.end);
    tell_answered(std::move(exchange));
    remove(open.exchanges, at, spare_exchanges_);
}

/// A job begins behind the answer that hands it out.
void Tracker::tell_answered(Exchange&& exchange) {
    std::optional<Unit> before;
    Unit* const job = jobs_.taken(exchange, before);
    listener_.answered(std::move(exchange));
    for (const Jobs::AddedLate& late : jobs_.take_added_late()) {
        listener_.added(late.job, late.by, late.at);
    }
    if (before) {
        listener_.ended(std::move(*before));
    }
    if (job != nullptr) {
        job->id = listener_.next_unit();
        listener_.began(*job);
    }
}

void Tracker::end_jobs(SocketId connection, Exclusion why) {
    while (std::optional<Unit> job = jobs_.left(connection, why)) {
        listener_.ended(std::move(*job));
    }
}

void Tracker::content(net::Connection& connection, const proto::Content& content) {
    PerConnection* const open = open_.find(connection.id());
    if (open == nullptr) {
        return;
    }
    if (connection.role() != net::Role::server && content.direction == proto::Direction::request && content.frame != 0) {
        const auto found = open->exchanges.find(content.correlation);
        if (found != open->exchanges.end()) {
            carry(found->second, connection, content.frame);
        }
    }
    const auto read_along = [&](auto& messages) {
        const auto found = messages.find(content.correlation);
        if (found != messages.end() && found->second.watch != nullptr) {
            found->second.watch->content(content, connection);
        }
    };
    if (connection.role() == net::Role::server) {
        read_along(open->units);
        return;
    }
    read_along(open->exchanges);
    const auto exchange = open->exchanges.find(content.correlation);
    if (exchange != open->exchanges.end() && exchange->second.storage != nullptr) {
        exchange->second.storage->content(content);
    }
}

/// What was seen of its bodies, whether it ended as it should or not.
void Tracker::conclude(OpenExchange& at, std::uint64_t position) {
    if (at.watch != nullptr) {
        at.watch->finish(position, at.exchange.host);
        at.exchange.stream = at.watch->stream();
        at.exchange.genai = at.watch->genai();
        at.watch.reset();  // the node may lie spare for long
    }
    if (at.storage != nullptr) {
        at.storage->finish(at.exchange);
        at.storage.reset();
    }
}

void Tracker::lost(net::Connection& connection, ThreadId finder) {
    listener_.lost(connection.process(), finder);
    PerConnection* const found = open_.find(connection.id());
    if (found == nullptr) {
        return;
    }
    // What was lost may have been the end of any of these. They are over for us; what comes of them later finds no one.
    for (auto& [correlation, open] : found->units) {
        open.unit.exclusion = Exclusion::loss;
    }
    for (auto& [correlation, open] : found->exchanges) {
        open.exchange.touched_by_loss = true;
    }
    end_all(*found, "events lost");
    end_jobs(connection.id(), Exclusion::loss);
}

void Tracker::not_understood(net::Connection& connection, ThreadId mover) {
    listener_.lost(connection.process(), mover);
}

void Tracker::abandoned(net::Connection& connection) {
    if (PerConnection* const found = open_.find(connection.id())) {
        end_all(*found, "not decoded");
        end_jobs(connection.id(), Exclusion::unfinished);
    }
}

void Tracker::closed(net::Connection& connection) {
    PerConnection* const found = open_.find(connection.id());
    if (found == nullptr) {
        return;
    }
    const std::string_view gone = connection.protocol() == "dns" ? "no answer" : "connection closed";
    end_all(*found, connection.failure().empty() ? std::string(gone) : connection.failure());
    if (std::optional<Exchange> failed = attempts_.failed(connection, found->attempt)) {
        listener_.sent(*failed);
        listener_.answered(std::move(*failed));
    }
    end_jobs(connection.id(), Exclusion::unfinished);
    open_.erase(connection.id());
}

void Tracker::end_all(PerConnection& open, const std::string& error) {
    OpenUnits units;
    units.swap(open.units);
    for (auto& [correlation, at] : units) {
        at.unit.exclusion = at.unit.exclusion == Exclusion::none ? Exclusion::unfinished : at.unit.exclusion;
        at.unit.error = at.unit.error.empty() ? error : at.unit.error;
        listener_.ended(std::move(at.unit));
    }
    OpenExchanges exchanges;
    exchanges.swap(open.exchanges);
    for (auto& [correlation, at] : exchanges) {
        at.exchange.error = at.exchange.error.empty() ? error : at.exchange.error;
        conclude(at, 0);
        listener_.answered(std::move(at.exchange));
    }
}

void Tracker::finish() {
    std::map<SocketId, PerConnection*> in_order;
    open_.for_each([&](SocketId socket, PerConnection& open) { in_order.emplace(socket, &open); });
    for (const auto& [socket, open] : in_order) {
        end_all(*open, "run ended");
    }
    while (std::optional<Unit> job = jobs_.left()) {
        listener_.ended(std::move(*job));
    }
    open_ = {};
}

}  // namespace timesink::request
