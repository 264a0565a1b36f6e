#include "report/account_json.hpp"

#include <array>
#include <cstdio>

#include "report/genai_json.hpp"
#include "report/storage_json.hpp"
#include "report/wording.hpp"

namespace timesink::report {

using attribute::Account;
using attribute::Bucket;
using attribute::Cause;
using attribute::Evidence;

void write_endpoint(JsonWriter& json, std::string_view key, const event::Endpoint& endpoint) {
    json.key(key).open('{').member("addr", endpoint.address).member("port", std::uint64_t{endpoint.port}).close('}');
}

void write_buckets(JsonWriter& json, const std::array<Duration, attribute::kCauseCount>& by_cause) {
    std::array<Duration, attribute::kBucketCount> sums{};
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        sums[static_cast<std::size_t>(attribute::bucket_of(static_cast<Cause>(i)))] += by_cause[i];
    }
    json.key("buckets").open('{');
    for (std::size_t i = 0; i < sums.size(); ++i) {
        json.member(attribute::name(static_cast<Bucket>(i)), sums[i]);
    }
    json.close('}');
}

void write_causes(JsonWriter& json, const std::array<Duration, attribute::kCauseCount>& by_cause) {
    json.key("causes").open('{');
    for (std::size_t i = 0; i < by_cause.size(); ++i) {
        if (by_cause[i] != Duration{}) {
            json.member(attribute::name(static_cast<Cause>(i)), by_cause[i]);
        }
    }
    json.close('}');
}

void write_calls(JsonWriter& json, const request::CallsByClass& calls) {
    json.open('{');
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].calls > 0) {
            json.key(name_of_call_class(i)).open('{');
            json.member("calls", calls[i].calls).member("errors", calls[i].errors);
            json.member("ns", calls[i].nanoseconds).member("bytes", calls[i].bytes).close('}');
        }
    }
    json.close('}');
}

namespace {

void write_resources(JsonWriter& json, const request::Unit& unit) {
    request::CallsByClass calls{};
    for (const request::ClassCalls& used : unit.calls) {
        calls[used.call_class] = used.totals;
    }
    if (unit.resources_known) {
        json.member("cpu_ns", unit.cpu).member("run_queue_ns", unit.run_queue).key("syscalls");
        write_calls(json, calls);
        json.key("page_faults").open('{').member("minor", unit.minor_faults).member("major", unit.major_faults).close('}');
    } else {
        json.key("cpu_ns").null().key("run_queue_ns").null().key("syscalls").null().key("page_faults").null();
    }
    json.key("bytes").open('{').member("in", unit.bytes_in).member("out", unit.bytes_out);
    if (unit.resources_known) {
        json.member("mapped", calls[TS_CLASS_MEMORY_MAP].bytes).member("unmapped", calls[TS_CLASS_MEMORY_UNMAP].bytes);
    } else {
        json.key("mapped").null().key("unmapped").null();
    }
    json.close('}');
}

}  // namespace

void write_unit(JsonWriter& json, const Account& account) {
    const request::Unit& unit = account.unit;
    const bool included = unit.exclusion == request::Exclusion::none;
    const bool background = unit.kind == request::UnitKind::background;
    json.member("id", number(unit.id)).member("kind", name(unit.kind));
    if (unit.request != UnitId{}) {
        json.member("request", number(unit.request));
    } else {
        json.key("request").null();
    }
    const bool job = unit.kind == request::UnitKind::job;
    if (job && unit.added != Instant{}) {
        json.member("added_ns", unit.added);
    } else {
        json.key("added_ns").null();
    }
    json.member("protocol", unit.protocol);
    json.member("method", unit.method).member("path", unit.path).member("route", unit.route);
    json.member("status", unit.status).member_or_null("error", unit.error);
    if (unit.caller == ExchangeId{}) {
        json.key("caller_exchange").null();
    } else {
        json.member("caller_exchange", number(unit.caller));
    }
    if (background || job) {
        json.key("client").null();
    } else {
        write_endpoint(json, "client", unit.client);
    }
    write_endpoint(json, "server", unit.server);
    json.member("pid", std::uint64_t{number(unit.process)}).member("tid", std::uint64_t{number(unit.thread)});
    json.member("start_ns", unit.begin).member("end_ns", unit.end).member("complete", unit.complete);
    if (included) {
        json.key("excluded").null();
        write_buckets(json, account.by_cause);
        write_causes(json, account.by_cause);
        json.member("hidden_ns", account.hidden);
    } else {
        json.member("excluded", name(unit.exclusion));
        json.key("buckets").null().key("causes").null().key("hidden_ns").null();
    }
    write_resources(json, unit);
    json.member("connected_ns", unit.connected).member("accepted_ns", unit.accepted).member("read_begin_ns", unit.read_begin);
    json.member("first_response_ns", unit.first_response);
    write_stream(json, unit.stream.get());
    write_objects(json, account);
}

namespace {

/// What was executed in the process itself.
void write_engine(JsonWriter& json, const request::Exchange& exchange) {
    json.key("engine");
    if (exchange.engine == nullptr) {
        json.null();
        return;
    }
    const request::EngineUse& use = *exchange.engine;
    json.open('{').member_or_null("database", proto::value_of(exchange.attributes, "db.namespace"));
    json.member("inside_ns", use.inside).member("first_step_ns", use.first_step);
    json.member("lock_wait_ns", use.waited).member("disk_ns", use.disk).member("run_queue_ns", use.runnable);
    json.member("in_transaction", exchange.in_transaction).member("given_up", use.given_up).close('}');
}

}  // namespace

void write_exchange(JsonWriter& json, const attribute::OwnedExchange& owned) {
    const request::Exchange& exchange = owned.exchange;
    json.member("id", number(exchange.id)).member("protocol", exchange.protocol).member("operation", exchange.operation);
    json.member("statement", exchange.statement);
    if (exchange.fingerprint != 0) {
        // As text: 64 bits do not fit the numbers of most JSON readers.
        std::array<char, 17> hex{};
        std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(exchange.fingerprint));
        json.member("fingerprint", hex.data());
    } else {
        json.key("fingerprint").null();
    }
    json.member_or_null("host", exchange.host);
    write_endpoint(json, "local", exchange.local);
    write_endpoint(json, "remote", exchange.remote);
    const auto answer = [&](Instant at) { return exchange.one_way ? Instant{} : at; };
    json.member("sent_ns", exchange.sent)
        .member("arrived_ns", answer(exchange.arrived))
        .member("read_ns", answer(exchange.read_end));
    json.member("sent_end_ns", exchange.sent_end).member("arrived_end_ns", answer(exchange.arrived_end));
    json.member("read_begin_ns", answer(exchange.read_begin)).member("one_way", exchange.one_way);
    json.member("connect_ns", exchange.connect_began).member("connected_ns", exchange.connected);
    json.member("bytes_out", exchange.bytes_out).member("bytes_in", exchange.bytes_in).member("rows", exchange.rows);
    json.member("status", exchange.status).member_or_null("error", exchange.error);
    json.member("complete", exchange.complete).member("housekeeping", exchange.housekeeping);
    json.member("pid", std::uint64_t{number(exchange.process)}).member("tid", std::uint64_t{number(exchange.sent_by)});
    if (owned.owner == UnitId{}) {
        json.key("owner").null();
    } else {
        json.member("owner", number(owned.owner));
    }
    json.member("evidence", attribute::name(owned.evidence)).member("margin", owned.margin);
    json.member("contradicted", owned.contradicted);
    if (exchange.callee == UnitId{}) {
        json.key("callee_unit").null();
    } else {
        json.member("callee_unit", number(exchange.callee));
    }
    json.key("callee");
    if (owned.inside) {
        json.open('{');
        write_buckets(json, owned.inside->by_cause);
        write_causes(json, owned.inside->by_cause);
        json.member("between_ns", owned.inside->between).close('}');
    } else {
        json.null();
    }
    json.member("bucket", attribute::name(owned.bucket));
    json.member("on_path_ns", owned.on_path).member("hidden_ns", owned.hidden);
    json.member("internal", owned.internal).member_or_null("line", owned.line);
    write_number_or_null(json, "rule", owned.rule);
    write_number_or_null(json, "object", owned.object);
    json.member("body_out", exchange.body_out).member("body_in", exchange.body_in);
    write_storage(json, exchange);
    write_stream(json, exchange.stream.get());
    write_genai(json, exchange);
    write_engine(json, exchange);
}

}  // namespace timesink::report
