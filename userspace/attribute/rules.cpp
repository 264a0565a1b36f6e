#include "attribute/rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "request/connect_attempts.hpp"

namespace timesink::attribute {

namespace {

constexpr std::array<std::string_view, 6> kDatabases = {"postgresql", "redis", "mysql", "mongodb", "memcached", "sqlite"};
constexpr std::array<std::string_view, 4> kBulkTypes = {"image/", "video/", "audio/", "application/octet-stream"};

bool is_database(std::string_view protocol) {
    return std::find(kDatabases.begin(), kDatabases.end(), protocol) != kDatabases.end();
}

/// Documents: what is said with them may take its time, however long they are.
bool is_said(std::string_view content_type) {
    const std::string_view essence = content_type.substr(0, content_type.find(';'));
    return essence.starts_with("text/") || essence == "application/json" || essence.ends_with("+json") ||
           essence.starts_with("application/x-ndjson") || essence.starts_with("application/grpc") || essence.ends_with("xml") ||
           essence == "application/x-www-form-urlencoded";
}

bool is_bulk(const request::Exchange& exchange) {
    const auto bulk = [&](std::uint64_t body, std::uint64_t message, proto::Direction direction) {
        const std::string_view type = content_type(exchange, direction);
        return (std::max(body, message) >= kBulkBytes && is_bulk_type(type)) || (body >= kLargeBytes && !is_said(type));
    };
    return bulk(exchange.body_in, exchange.bytes_in, proto::Direction::response) ||
           bulk(exchange.body_out, exchange.bytes_out, proto::Direction::request);
}

std::string_view without_port(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    return colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos ? host : host.substr(0, colon);
}

std::uint32_t first_match(const request::Exchange& exchange, const rules::RuleSet& rules) {
    rules::Call call;
    call.protocol = exchange.protocol;
    call.host = exchange.host.empty() ? proto::value_of(exchange.attributes, "server.address") : without_port(exchange.host);
    call.address = exchange.remote.address;
    call.port = exchange.remote.port;
    call.operation = exchange.operation;
    std::string route;
    if (exchange.protocol == "http") {
        call.method = exchange.storage ? std::string_view(exchange.storage->http_method) : std::string_view(exchange.operation);
        route = (exchange.storage ? "/" : "") + exchange.statement;
        call.route = route;
        call.type_in = content_type(exchange, proto::Direction::response);
        call.type_out = content_type(exchange, proto::Direction::request);
        call.bytes_in = exchange.body_in;
        call.bytes_out = exchange.body_out;
    } else {
        call.bytes_in = exchange.bytes_in;
        call.bytes_out = exchange.bytes_out;
    }
    return rules.match(call);
}

}  // namespace

bool is_bulk_type(std::string_view content_type) {
    return std::any_of(kBulkTypes.begin(), kBulkTypes.end(),
                       [&](std::string_view bulk) { return content_type.starts_with(bulk); });
}

std::string_view content_type(const request::Exchange& exchange, proto::Direction direction) {
    return proto::value_of(exchange.attributes, direction == proto::Direction::response ? "http.response.header.content-type"
                                                                                        : "http.request.header.content-type");
}

Bucket bucket_of(const request::Exchange& exchange) {
    if (is_database(exchange.protocol)) {
        return Bucket::db;
    }
    // Encrypted after the database's own greeting; an attempt to reach it.
    if (is_database(proto::value_of(exchange.attributes, "tls.over")) ||
        is_database(proto::value_of(exchange.attributes, "connect.for"))) {
        return Bucket::db;
    }
    if (exchange.storage != nullptr) {
        return Bucket::transfer;
    }
    const bool speaks = exchange.genai != nullptr || exchange.stream != nullptr;
    return !speaks && is_bulk(exchange) ? Bucket::transfer : Bucket::provider;
}

bool is_setup(const request::Exchange& exchange) {
    return exchange.protocol == "dns" ||
           (exchange.operation == request::kConnect && (exchange.protocol == "tcp" || exchange.protocol == "unix"));
}

void charge_setup(std::vector<OwnedExchange>& exchanges) {
    for (OwnedExchange& owned : exchanges) {
        const request::Exchange& setup = owned.exchange;
        if (!is_setup(setup) || owned.rule != 0 || owned.bucket == Bucket::db) {
            continue;
        }
        const auto behind = [&](const OwnedExchange& other) {
            return !is_setup(other.exchange) && other.exchange.sent >= setup.sent;
        };
        const auto names = [&](const OwnedExchange& other) {
            const std::string_view host = other.exchange.host.empty()
                                              ? proto::value_of(other.exchange.attributes, "server.address")
                                              : without_port(other.exchange.host);
            return behind(other) && !host.empty() && host == setup.statement;
        };
        const Instant known = setup.protocol == "dns" ? setup.arrived : setup.sent;
        auto served = std::find_if(exchanges.begin(), exchanges.end(), names);
        if (served == exchanges.end()) {
            served = std::find_if(exchanges.begin(), exchanges.end(), [&](const OwnedExchange& other) {
                return behind(other) && other.exchange.connect_began != Instant{} && other.exchange.connect_began >= known;
            });
        }
        if (served != exchanges.end()) {
            owned.bucket = served->bucket;
        }
    }
}

void classify(OwnedExchange& owned, const rules::RuleSet* rules) {
    owned.rule = rules == nullptr ? 0 : first_match(owned.exchange, *rules);
    if (owned.rule == 0) {
        owned.bucket = bucket_of(owned.exchange);
        return;
    }
    const rules::Rule& rule = rules->rules()[owned.rule - 1];
    owned.line = rule.line;
    owned.internal = rule.bucket == rules::Bucket::internal;
    owned.bucket = rule.bucket == rules::Bucket::db         ? Bucket::db
                   : rule.bucket == rules::Bucket::transfer ? Bucket::transfer
                                                            : Bucket::provider;
}

ExchangeCauses causes_of(const OwnedExchange& owned) {
    if (owned.internal) {
        return {Cause::provider_internal, Cause::provider_internal, Cause::provider_internal, Cause::provider_internal};
    }
    if (is_setup(owned.exchange)) {
        const Cause connect = owned.bucket == Bucket::db         ? Cause::db_connect
                              : owned.bucket == Bucket::transfer ? Cause::transfer_storage
                                                                 : Cause::provider_connect;
        return {connect, connect, connect, connect};
    }
    switch (owned.bucket) {
        case Bucket::db:
            return {Cause::db_connect, Cause::db_queue, Cause::db_server, Cause::db_result};
        case Bucket::transfer:
            return {Cause::transfer_storage, Cause::transfer_storage, Cause::transfer_storage, Cause::transfer_storage};
        default:
            return {Cause::provider_connect, Cause::provider_queue, Cause::provider_first_byte, Cause::provider_body};
    }
}

}  // namespace timesink::attribute
