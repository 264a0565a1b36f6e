#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "proto/postgres/parser.hpp"
#include "proto/postgres/payload.hpp"

namespace timesink::proto::postgres {

void Postgres::before_opening(Sink& sink) {
    const bool between = !response_.lost && response_.framer.between() && !nobodys_open_;
    if (exchanges_.turn_begins(response_.lost, between, sink)) {
        response_.lost = false;
        response_.framer.next();
    }
}

Exchange& Postgres::open(const Message& message, Sink& sink) {
    exchanges_.seal_group(message.begin, true, sink);
    before_opening(sink);
    Exchange& exchange = exchanges_.open(message.begin, sink);
    exchange.sealed = true;
    return exchange;
}

Exchange& Postgres::group(const Message& message, Sink& sink) {
    if (Exchange* exchange = exchanges_.current()) {
        return *exchange;
    }
    before_opening(sink);
    return exchanges_.open_group(message.begin, sink);
}

void Postgres::from_client(const Message& message, Sink& sink) {
    switch (message.type) {
        case kOpening:
            return opening(message, sink);
        case 'Q':
            return query(message, sink);
        case 'P':
            return prepare(message, sink);
        case 'B':
            return bind(message, sink);
        case 'D':
            return describe(message, sink);
        case 'E':
            return execute(message, sink);
        case 'C':
            return close_named(message, sink);
        case 'S':
            return sync(message, sink);
        case 'F':
            return call_function(message, sink);
        case 'H':
            if (const Exchange* exchange = exchanges_.current(); exchange != nullptr && !exchange->binds) {
                exchanges_.seal_group(message.end, true, sink);
            }
            return;
        case 'd':
            if (Exchange* exchange = exchanges_.copying()) {
                exchange->request_bytes += message.bytes() - 5;
            }
            return;
        case 'c':
        case 'f':
            if (Exchange* exchange = exchanges_.copying()) {
                exchanges_.end_request(*exchange, message.end, true, sink);
            }
            return;
        case 'X':
            return one_way(message, "TERMINATE", sink);
        default:
            return;  // 'p': a part of the start-up
    }
}

/// An exchange that the driver needs for itself.
void Postgres::driver_asks(const Message& message, std::string operation, Asked asked, std::string database, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = std::move(operation);
    exchange.request.housekeeping = true;
    if (!database.empty()) {
        exchange.request.attributes.emplace_back("db.namespace", std::move(database));
    }
    exchanges_.ask(exchange, asked);
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
}

void Postgres::opening(const Message& message, Sink& sink) {
    const std::uint32_t code = big_endian_32(message.payload);
    if (code == kCancelRequest) {
        one_way(message, "CANCEL", sink);
    } else if (code == kSslRequest || code == kGssEncryptionRequest) {
        driver_asks(message, code == kSslRequest ? "SSLREQUEST" : "GSSENCREQUEST", Asked::ssl, "", sink);
    } else {
        driver_asks(message, "STARTUP", Asked::startup, database_of(message.payload.substr(4)), sink);
    }
}

void Postgres::one_way(const Message& message, std::string operation, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = std::move(operation);
    exchange.request.housekeeping = true;
    exchange.request.expects_response = false;
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
    exchanges_.forget(exchange);
}

void Postgres::query(const Message& message, Sink& sink) {
    Exchange& exchange = open(message, sink);
    std::string_view payload = message.payload;
    const std::string_view text = take_string(payload);
    exchange.request.target = text;
    exchange.request.target_truncated = message.cut;
    if (text != judged_.text || text.empty()) {
        judged_ = {std::string(text), leading_keyword(text), is_housekeeping(text), is_copy_from_client(text)};
    }
    exchange.request.operation = judged_.operation;
    exchange.request.housekeeping = !message.cut && judged_.housekeeping;
    exchange.copies_in = judged_.copies_in;
    exchanges_.ask(exchange, Asked::query);
    exchanges_.announce(exchange, sink);
    if (!exchange.copies_in) {
        exchanges_.end_request(exchange, message.end, !message.cut || !may_be_copy_from_client(text), sink);
    }
}

void Postgres::call_function(const Message& message, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = "FUNCTION";
    exchanges_.ask(exchange, Asked::function);
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
}

void Postgres::prepare(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const std::string_view name = take_string(payload);
    const std::string_view text = take_string(payload);
    if (const Exchange* exchange = exchanges_.current(); exchange != nullptr && (exchange->parses || exchange->binds)) {
        exchanges_.seal_group(message.begin, true, sink);
    }
    Exchange& exchange = group(message, sink);
    exchange.parses = true;
    exchange.name_hidden = message.cut && message.payload.find('\0') == std::string_view::npos;
    exchange.statement = exchange.name_hidden ? std::make_shared<const Statement>(std::string_view(), std::string_view(), true)
                                              : statements_.prepare(name, text, message.cut);
    exchanges_.ask(exchange, Asked::parse);
}

void Postgres::bind(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const bool names_hidden = message.cut && std::count(payload.begin(), payload.end(), '\0') < 2;
    const std::string_view portal = take_string(payload);
    const std::string_view name = take_string(payload);
    if (const Exchange* exchange = exchanges_.current(); exchange != nullptr) {
        const bool another = exchange->parses && !exchange->name_hidden && !names_hidden && exchange->statement->name != name;
        if (exchange->binds || another) {
            exchanges_.seal_group(message.begin, true, sink);
        }
    }
    Exchange& exchange = group(message, sink);
    exchange.binds = true;
    if (names_hidden) {
        exchange.names_hidden = true;
    } else {
        exchange.statement = exchange.name_hidden ? exchange.statement : statements_.find(name);
        statements_.bind(portal, exchange.statement);
    }
    exchanges_.ask(exchange, Asked::bind);
}

void Postgres::describe(const Message& message, Sink& sink) {
    Exchange& exchange = group(message, sink);
    const bool statement = message.payload.starts_with('S');
    std::string_view name = message.payload.substr(std::min<std::size_t>(1, message.payload.size()));
    if (exchange.statement == nullptr && statement) {
        exchange.statement = statements_.find(take_string(name));
    } else if (exchange.statement == nullptr) {
        exchange.statement = statements_.bound(take_string(name));
    }
    exchanges_.ask(exchange, statement ? Asked::describe_statement : Asked::describe_portal);
}

void Postgres::execute(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const std::string_view portal = take_string(payload);
    Exchange& exchange = group(message, sink);
    if (const auto statement = statements_.bound(portal); statement != nullptr && !exchange.names_hidden && !message.cut) {
        exchange.statement = statement;
    }
    exchange.executed = true;
    exchange.copies_in = exchange.statement != nullptr && exchange.statement->copies_in;
    exchanges_.ask(exchange, Asked::execute);
    exchanges_.announce(exchange, sink);
    if (!exchange.copies_in) {
        const bool unclear =
            exchange.statement != nullptr && exchange.statement->truncated && may_be_copy_from_client(exchange.statement->text);
        exchanges_.end_request(exchange, message.end, !unclear, sink);
    }
    exchanges_.seal(exchange);
}

void Postgres::close_named(const Message& message, Sink& sink) {
    std::string_view name = message.payload.substr(std::min<std::size_t>(1, message.payload.size()));
    message.payload.starts_with('S') ? statements_.forget(take_string(name)) : statements_.forget_portal(take_string(name));
    Exchange* served = exchanges_.current() == nullptr ? exchanges_.unsynced() : nullptr;
    if (served == nullptr) {
        served = &group(message, sink);
        served->closes = true;
    }
    exchanges_.ask(*served, Asked::close);
}

void Postgres::sync(const Message& message, Sink& sink) {
    if (Exchange* exchange = exchanges_.current()) {
        exchanges_.ask(*exchange, Asked::sync);
        exchanges_.seal_group(message.end, true, sink);
    } else if (Exchange* last = exchanges_.unsynced()) {
        exchanges_.ask(*last, Asked::sync);
    } else {
        driver_asks(message, "SYNC", Asked::sync, "", sink);
    }
    exchanges_.synced();
}

}  // namespace timesink::proto::postgres
