#include "request/propagation.hpp"
#include "request/tracker.hpp"

/// The part of Tracker that gives exchanges their names: shapes of statements, routes, keys.
namespace timesink::request {

namespace {

bool speaks_sql(std::string_view protocol) {
    return protocol == "postgresql" || protocol == "mysql" || protocol == "sqlite";
}

constexpr std::string_view kTopicId = "kafka.topic_id";

/// Whose messages are about keys that are named like paths.
bool names_keys(std::string_view protocol) {
    return protocol == "redis" || protocol == "memcached" || protocol == "rabbitmq";
}
}  // namespace

void Tracker::name_exchange(Exchange& exchange, const proto::Head& head) {
    exchange.operation = head.operation;
    exchange.host = head.host;
    exchange.housekeeping = head.housekeeping;
    std::string key;
    std::string script;
    for (const auto& attribute : head.attributes) {
        if (attribute.first == "redis.key" || attribute.first == "memcached.key" || attribute.first == "amqp.key") {
            key = attribute.second;  // may hold a value: only its shape goes on
        } else if (attribute.first == "redis.script") {
            script = attribute.second;
        } else if (attribute.first != "http.request.header.x-amz-copy-source" && attribute.first != kTopicId) {  // a key
            exchange.attributes.push_back(attribute);
        }
    }
    if (exchange.protocol == "http") {
        exchange.statement = head.target.empty() ? std::string(kPathNotKnown)
                                                 : fold_path(std::string_view(head.target).substr(0, head.target.find('?')));
        exchange.fingerprint = fingerprint_of(exchange.operation + ' ' + exchange.host + exchange.statement);
    } else if (names_keys(exchange.protocol)) {
        const StatementShape shape = shape_of_redis(exchange.operation, key, script);
        exchange.statement = shape.text;
        exchange.fingerprint = shape.fingerprint;
    } else if (speaks_sql(exchange.protocol)) {
        name_statement(exchange, head);
    } else {  // the parser has left out what is a value
        exchange.statement = head.target;
        name_topics(exchange, head);
        exchange.fingerprint = head.target.empty() ? 0 : fingerprint_of(exchange.statement);
    }
}

/// Those that are told by their ids, as far as Metadata has told these.
void Tracker::name_topics(Exchange& exchange, const proto::Head& head) const {
    for (const auto& [key, value] : head.attributes) {
        if (const std::string_view topic = key == kTopicId ? topics_.of(value) : std::string_view{}; !topic.empty()) {
            exchange.statement.append(exchange.statement.size() == head.operation.size() ? " " : ", ").append(topic);
            exchange.attributes.emplace_back("messaging.destination.name", topic);
        }
    }
}

/// As S3 has it: its operation, and bucket and key instead of the path. A bucket may be in the host.
void Tracker::name_storage(Exchange& exchange, const StorageCall& call) {
    exchange.operation = call.operation;
    exchange.statement = call.bucket + (call.key.empty() ? "" : "/") + call.key;
    exchange.fingerprint = fingerprint_of(exchange.operation + ' ' + exchange.host + ' ' + exchange.statement);
}

void Tracker::name_statement(Exchange& exchange, const proto::Head& head) {
    if (head.target.empty()) {
        if (!head.statement_name.empty()) {  // prepared before the attach: its name is all that is known
            exchange.statement = "EXECUTE " + head.statement_name;
            exchange.fingerprint = fingerprint_of(exchange.statement);
        }
        return;
    }
    read_comment_ids(head.target, exchange.attributes);
    const StatementShape& shape = shapes_.sql(head.target, head.target_truncated);
    exchange.statement = shape.text;
    exchange.fingerprint = shape.fingerprint;
    if (!shape.operation.empty() && exchange.operation != "PREPARE") {
        exchange.operation = shape.operation;
    }
    exchange.attributes.insert(exchange.attributes.end(), shape.attributes.begin(), shape.attributes.end());
}

}  // namespace timesink::request
