#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "attribute/account.hpp"

namespace timesink::test {

constexpr Duration us(std::int64_t value) {
    return std::chrono::microseconds(value);
}
constexpr Duration ms(std::int64_t value) {
    return std::chrono::milliseconds(value);
}
/// Hand-made runs begin at 1,000 s, so that no time is zero, which means "unset".
constexpr Instant at(Duration since_attach) {
    return Instant(std::chrono::seconds(1000)) + since_attach;
}

/// Writes an Account as a story: what the unit did, piece after piece. The invariants of attribute::Account hold by construction.
class AccountBuilder {
public:
    AccountBuilder(std::uint64_t id, Instant begin, std::string_view method, std::string_view route) {
        request::Unit& unit = account_.unit;
        unit.id = UnitId{id};
        unit.protocol = "http";
        unit.method = method;
        unit.path = unit.route = route;
        unit.status = 200;
        unit.client = {"127.0.0.1", 40000};
        unit.server = {"127.0.0.1", 8000};
        unit.process = ProcessId{4712};
        unit.thread = unit.answered_by = ThreadId{4712};
        unit.begin = unit.request_arrived = unit.read_begin = unit.read_end = begin;
        unit.bytes_in = 120;
        unit.bytes_out = 900;
        unit.complete = true;
        now_ = begin;
    }

    request::Unit& unit() { return account_.unit; }

    AccountBuilder& spend(attribute::Cause cause, Duration length) {
        piece(cause, length, ExchangeId{});
        if (cause == attribute::Cause::backlog) {
            account_.unit.read_begin = account_.unit.read_end = now_;
        }
        return *this;
    }

    using Change = std::function<void(attribute::OwnedExchange&)>;

    /// A statement: sent, `server` until the reply was in the kernel, `result` until its end was.
    AccountBuilder& statement(std::string_view sql, Duration server, Duration result = {}, const Change& change = {}) {
        attribute::OwnedExchange& owned =
            exchange(attribute::Bucket::db, "postgresql", sql.substr(0, sql.find(' ')), sql, server + result);
        owned.exchange.remote = {"127.0.0.1", 5432};
        piece(attribute::Cause::db_server, server, owned.exchange.id);
        piece(attribute::Cause::db_result, result, owned.exchange.id);
        return done(owned, change);
    }

    AccountBuilder& call(std::string_view host, std::string_view method, std::string_view route, Duration first_byte,
                         Duration body = {}, const Change& change = {}) {
        attribute::OwnedExchange& owned = exchange(attribute::Bucket::provider, "http", method, route, first_byte + body);
        owned.exchange.host = host;
        owned.exchange.remote = {"192.0.2.7", 443};
        owned.exchange.status = 200;
        piece(attribute::Cause::provider_first_byte, first_byte, owned.exchange.id);
        piece(attribute::Cause::provider_body, body, owned.exchange.id);
        return done(owned, change);
    }

    /// A call that ran beside what was on the path: it began `ago` before now.
    AccountBuilder& hidden_call(std::string_view host, std::string_view route, Duration ago, Duration length) {
        const Instant now = now_;
        now_ -= ago;
        attribute::OwnedExchange& owned = exchange(attribute::Bucket::provider, "http", "GET", route, length);
        owned.exchange.host = host;
        owned.hidden = length;
        account_.hidden += length;
        now_ = now;
        return *this;
    }

    [[nodiscard]] attribute::Account done() const {
        attribute::Account account = account_;
        account.unit.end = now_;
        account.unit.first_response = now_;
        for (const attribute::Piece& piece : account.pieces) {
            account.by_cause[static_cast<std::size_t>(piece.cause)] += piece.span.length();
        }
        return account;
    }

private:
    void piece(attribute::Cause cause, Duration length, ExchangeId exchange) {
        if (length > Duration{}) {
            account_.pieces.push_back({{now_, now_ + length}, cause, exchange});
            now_ += length;
        }
    }

    attribute::OwnedExchange& exchange(attribute::Bucket bucket, std::string_view protocol, std::string_view operation,
                                       std::string_view statement, Duration length) {
        attribute::OwnedExchange owned;
        owned.bucket = bucket;
        owned.owner = account_.unit.id;
        owned.evidence = attribute::Evidence::thread;
        owned.margin = 1;
        request::Exchange& exchange = owned.exchange;
        exchange.id = ExchangeId{number(account_.unit.id) * 1000 + account_.exchanges.size()};
        exchange.protocol = protocol;
        exchange.operation = operation;
        exchange.statement = statement;
        exchange.fingerprint = 1469598103934665603ULL;
        for (const char c : exchange.protocol + exchange.operation + exchange.statement) {
            exchange.fingerprint = (exchange.fingerprint ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        }
        exchange.local = {"127.0.0.1", 50000};
        exchange.process = account_.unit.process;
        exchange.sent = exchange.sent_end = now_;
        exchange.arrived = exchange.arrived_end = exchange.read_begin = exchange.read_end = now_ + length;
        exchange.bytes_out = 64;
        exchange.bytes_in = 640;
        exchange.complete = true;
        account_.exchanges.push_back(owned);
        return account_.exchanges.back();
    }

    AccountBuilder& done(attribute::OwnedExchange& owned, const Change& change) {
        owned.on_path = now_ - owned.exchange.sent;
        if (change) {
            change(owned);
        }
        return *this;
    }

    attribute::Account account_;
    Instant now_;
};

}  // namespace timesink::test
