#include "request/engine_calls.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "request/propagation.hpp"

namespace timesink::request {

namespace {

/// No socket has such a number: the kernel side counts them from 1.
constexpr std::uint64_t kNoSocket = std::uint64_t{1} << 63;

// Result codes of SQLite (sqlite3.h); a call's lower byte is its primary code, which is all that most programs ask for.
constexpr std::int32_t kPrimary = 0xff;
constexpr std::int32_t kRow = 100;
constexpr std::int32_t kDone = 101;

constexpr std::array<std::string_view, 29> kErrors = {
    "",         "ERROR",   "INTERNAL", "PERM", "ABORT",    "BUSY",     "LOCKED", "NOMEM",  "READONLY", "INTERRUPT",
    "IOERR",    "CORRUPT", "NOTFOUND", "FULL", "CANTOPEN", "PROTOCOL", "EMPTY",  "SCHEMA", "TOOBIG",   "CONSTRAINT",
    "MISMATCH", "MISUSE",  "NOLFS",    "AUTH", "FORMAT",   "RANGE",    "NOTADB", "NOTICE", "WARNING"};

std::string error_of(std::int32_t result) {
    if (result == kRow || result == kDone || result == 0) {
        return {};
    }
    const auto primary = static_cast<std::size_t>(result & kPrimary);
    return primary < kErrors.size() && primary > 0 ? "SQLITE_" + std::string(kErrors[primary])
                                                   : "SQLITE " + std::to_string(result);
}

std::string_view text_of(event::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What the program gave may be a path, a URI (https://sqlite.org/uri.html) or ":memory:".
std::string file_name(std::string_view given) {
    given = given.substr(0, given.find('?'));
    const std::size_t slash = given.rfind('/');
    return std::string(slash == std::string_view::npos ? given : given.substr(slash + 1));
}

template <typename Map>
void bound(Map& map, std::size_t most) {
    while (map.size() > most) {
        map.erase(map.begin());
    }
}

}  // namespace

void EngineCalls::on(const event::EngineName& name) {
    if (name.subject == TS_ENGINE_DATABASE) {
        databases_[name.number].name = file_name(text_of(name.text));
        bound(databases_, kMostNames);
        return;
    }
    prepared(name);
}

void EngineCalls::prepared(const event::EngineName& told) {
    const Statement statement{shape_of(told), told.database};
    keep(told.number, statement);
    Exchange exchange;
    exchange.id = tracker_.next_exchange();
    name(exchange, &statement);
    exchange.operation = "PREPARE";
    exchange.housekeeping = true;
    exchange.process = told.process;
    exchange.socket = SocketId{kNoSocket | told.number};
    exchange.sent_by = exchange.read_by = told.thread;
    exchange.sent_in = told.context;
    exchange.sent = exchange.sent_end = exchange.server_free = told.entered;
    exchange.arrived = exchange.arrived_end = exchange.read_begin = exchange.read_end = told.at;
    exchange.complete = true;
    exchange.engine = std::make_shared<EngineUse>();
    exchange.engine->first_step = exchange.engine->inside = told.at - told.entered;
    listener_.sent(exchange);
    listener_.answered(std::move(exchange));
}

void EngineCalls::keep(std::uint64_t number, Statement statement) {
    if (young_.size() >= kMostNames) {
        old_ = std::exchange(young_, {});
    }
    young_.insert_or_assign(number, std::move(statement));
}

/// Null: it is not known.
const EngineCalls::Statement* EngineCalls::find(std::uint64_t number) {
    if (auto kept = old_.extract(number)) {
        keep(number, std::move(kept.mapped()));
    }
    const auto found = young_.find(number);
    return found == young_.end() ? nullptr : &found->second;
}

std::shared_ptr<const StatementShape> EngineCalls::shape_of(const event::EngineName& name) {
    StatementShape shape = shape_of_sql(text_of(name.text), name.cut);
    read_comment_ids(text_of(name.text), shape.attributes);
    if (!shape.attributes.empty()) {
        return std::make_shared<const StatementShape>(std::move(shape));  // what is in its comment is its own
    }
    const auto known = shapes_.find(shape.fingerprint);
    if (known != shapes_.end() && known->second->text == shape.text) {
        return known->second;
    }
    if (shapes_.size() >= kMostNames) {
        shapes_.clear();
    }
    auto made = std::make_shared<const StatementShape>(std::move(shape));
    shapes_.insert_or_assign(made->fingerprint, made);
    return made;
}

void EngineCalls::name(Exchange& exchange, const Statement* statement) {
    exchange.protocol = "sqlite";
    if (statement == nullptr) {
        exchange.operation = "EXECUTE";
        exchange.statement = kOlder;
        exchange.fingerprint = fingerprint_of(exchange.statement);
        return;
    }
    exchange.operation = statement->shape->operation;
    exchange.statement = statement->shape->text;
    exchange.fingerprint = statement->shape->fingerprint;
    exchange.attributes = statement->shape->attributes;
    if (const auto found = databases_.find(statement->database); found != databases_.end() && !found->second.name.empty()) {
        exchange.remote.address = found->second.name;
        exchange.attributes.emplace_back("db.namespace", found->second.name);
    }
}

void EngineCalls::on(const event::EngineCall& call) {
    if (call.stage == TS_ENGINE_BEGIN) {
        begin(call);
    } else {
        end(call);
    }
}

void EngineCalls::begin(const event::EngineCall& call) {
    const Statement* const statement = find(call.statement);
    Open& open = open_[call.execution];
    Exchange& exchange = open.exchange;
    exchange = {};
    exchange.id = tracker_.next_exchange();
    name(exchange, statement);
    open.database = statement == nullptr ? 0 : statement->database;
    exchange.process = call.process;
    exchange.socket = SocketId{kNoSocket | call.execution};
    exchange.sent_by = exchange.read_by = call.thread;
    exchange.sent_in = call.context;
    exchange.sent = exchange.sent_end = exchange.server_free = call.at;
    exchange.engine = std::make_shared<EngineUse>();
    listener_.sent(exchange);
    if (open_.size() > kMostOpen) {
        Exchange oldest = std::move(open_.begin()->second.exchange);
        open_.erase(open_.begin());
        oldest.error = "not seen to its end";
        listener_.answered(std::move(oldest));
    }
}

void EngineCalls::end(const event::EngineCall& call) {
    const auto found = open_.find(call.execution);
    if (found == open_.end()) {
        return;
    }
    Open& open = found->second;
    Exchange& exchange = open.exchange;
    exchange.rows = call.rows;
    exchange.error = error_of(call.result);
    exchange.status = exchange.error.empty() ? 0 : call.result;
    exchange.arrived = exchange.read_begin = std::max(call.first, exchange.sent);
    exchange.arrived_end = exchange.read_end = std::max(call.last, exchange.arrived);
    exchange.complete = true;
    EngineUse& use = *exchange.engine;
    use.first_step = exchange.arrived - exchange.sent;
    use.inside = std::clamp(call.inside, use.first_step, exchange.read_end - exchange.sent);
    use.given_up = call.reset;
    note_transaction(open);
    Exchange over = std::move(exchange);
    open_.erase(found);
    listener_.answered(std::move(over));
}

/// As far as it was begun by a statement that has a name. "ROLLBACK TO" goes back within a transaction.
void EngineCalls::note_transaction(Open& open) {
    const auto found = databases_.try_emplace(open.database).first;
    const std::string& operation = open.exchange.operation;
    if (open.exchange.error.empty() && open.database != 0) {
        if (operation == "BEGIN") {
            found->second.in_transaction = true;
        } else if (operation == "COMMIT" || operation == "END" ||
                   (operation == "ROLLBACK" && open.exchange.statement.find(" TO ") == std::string::npos)) {
            found->second.in_transaction = false;
        }
    }
    open.exchange.in_transaction = found->second.in_transaction;
    bound(databases_, kMostNames);
}

void EngineCalls::give_up(ProcessId process, const char* why) {
    for (auto at = open_.begin(); at != open_.end();) {
        if (at->second.exchange.process != process) {
            ++at;
            continue;
        }
        Exchange exchange = std::move(at->second.exchange);
        at = open_.erase(at);
        exchange.error = why;
        listener_.answered(std::move(exchange));
    }
}

void EngineCalls::ended(ProcessId process) {
    give_up(process, "process ended");
}

void EngineCalls::lost() {
    for (auto& [execution, open] : open_) {
        open.exchange.touched_by_loss = true;
    }
}

void EngineCalls::finish() {
    while (!open_.empty()) {
        give_up(open_.begin()->second.exchange.process, "run ended");
    }
}

}  // namespace timesink::request
