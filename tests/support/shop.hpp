#pragma once

#include <nlohmann/json.hpp>

#include "analyze/aggregate.hpp"
#include "support/account_builder.hpp"

namespace timesink::test {

inline void tell(analyze::Aggregate& aggregate, Instant when, const char* name, nlohmann::json body) {
    body["fact"] = name;
    aggregate.fact({when, name, body});
}

/// The facts of a run of `length`.
inline void tell_facts(analyze::Aggregate& aggregate, Duration length) {
    tell(aggregate, at({}), "host", {{"kernel", "6.1.0"}, {"machine", "x86_64"}, {"cpus", 2}, {"hypervisor", true}});
    tell(aggregate, at({}), "timesink", {{"version", "0.1.0"}});
    tell(aggregate, at({}), "target", {{"by", "port"}, {"value", 8000}});
    tell(aggregate, at({}), "process",
         {{"pid", 4711},
          {"parent", 1},
          {"start_ns", 5},
          {"comm", "gunicorn"},
          {"command_line", {"gunicorn", "shop:app"}},
          {"runtime", "python"},
          {"runtime_version", "3.11"}});
    tell(aggregate, at({}), "process", {{"pid", 4712}, {"parent", 4711}, {"start_ns", 6}, {"comm", "gunicorn"}});
    tell(aggregate, at({}), "probe", {{"name", "sys_exit"}, {"type", "tp_btf"}, {"attached", true}});
    tell(aggregate, at({}), "attached", nlohmann::json::object());
    for (int second = 0; second <= length / std::chrono::seconds(1); ++second) {
        const Instant when = at(std::chrono::seconds(second));
        const std::int64_t ns = 1'000'000'000LL * second;
        tell(aggregate, when, "sample", {{"pid", 4711}, {"rss_bytes", 30'000'000}, {"cpu_ns", ns / 100}});
        tell(aggregate, when, "sample", {{"pid", 4712}, {"rss_bytes", 50'000'000 + 1000 * second}, {"cpu_ns", ns / 2}});
        tell(aggregate, when, "host_sample",
             {{"user_ns", ns},
              {"system_ns", ns / 5},
              {"idle_ns", ns * 796 / 1000},
              {"iowait_ns", 0},
              {"steal_ns", ns * 4 / 1000},
              {"runnable", 5}});
    }
    tell(aggregate, at(length), "drops", {{"cpu", 0}, {"count", 0}});
    tell(aggregate, at(length), "own_cost",
         {{"cpu_ns", length.count() * 9 / 1000},
          {"rss_bytes", 38'000'000},
          {"events", 4'910'220},
          {"bytes", 61'000'000},
          {"bpf_measured_ns", 1'000'000'000},
          {"bpf", {{{"program", "sys_exit"}, {"runs", 10'000}, {"ns", 11'000'000}}}}});
    tell(aggregate, at(length), "detached", nlohmann::json::object());
}

inline constexpr std::string_view kItemsStatement = "SELECT id, name, price FROM items WHERE order_id = ?";

/// GET /orders/{id}: twenty statements, nineteen of them the same.
inline attribute::Account orders(std::uint64_t id, Instant begin) {
    AccountBuilder unit(id, begin, "GET", "/orders/{id}");
    unit.unit().path = "/orders/" + std::to_string(id);
    unit.spend(attribute::Cause::backlog, us(1900)).spend(attribute::Cause::cpu, us(500));
    unit.statement("SELECT * FROM orders WHERE id = ?", us(900));
    for (int i = 0; i < 19; ++i) {
        unit.statement(kItemsStatement, us(1400), us(100)).spend(attribute::Cause::cpu, us(150));
    }
    unit.spend(attribute::Cause::run_queue, us(2000)).spend(attribute::Cause::unattributed, us(210));
    unit.unit().resources_known = true;
    unit.unit().cpu = us(3350);
    unit.unit().run_queue = us(2000);
    unit.unit().minor_faults = 3;
    return unit.done();
}

/// POST /checkout: three statements and a payment; every fortieth fails.
inline attribute::Account checkout(std::uint64_t id, Instant begin) {
    AccountBuilder unit(id, begin, "POST", "/checkout");
    unit.spend(attribute::Cause::backlog, us(800)).spend(attribute::Cause::cpu, us(3000));
    unit.statement("SELECT * FROM carts WHERE user_id = ?", us(4000));
    unit.call("api.pay.test", "POST", "/v1/charge", ms(55), us(1200));
    unit.hidden_call("api.mail.test", "/v2/send", ms(20), ms(12));
    unit.statement("INSERT INTO orders (user_id) VALUES (?)", us(9000));
    unit.spend(attribute::Cause::transfer_response, us(700)).spend(attribute::Cause::unattributed, us(90));
    unit.unit().status = id % 40 == 0 ? 500 : 200;
    unit.unit().resources_known = true;
    unit.unit().cpu = us(3000);
    return unit.done();
}

inline attribute::Account health(std::uint64_t id, Instant begin) {
    AccountBuilder unit(id, begin, "GET", "/health");
    unit.spend(attribute::Cause::cpu, us(1400));
    unit.unit().resources_known = true;
    unit.unit().cpu = us(1400);
    return unit.done();
}

/// A shop under load for ten seconds.
inline void fill_shop(analyze::Aggregate& aggregate) {
    tell_facts(aggregate, std::chrono::seconds(10));
    std::uint64_t id = 0;
    for (int i = 0; i < 400; ++i) {
        const Instant begin = at(ms(23 * i));
        aggregate.account(orders(++id, begin));
        if (i % 5 == 0) {
            aggregate.account(checkout(++id, begin + ms(7)));
        }
        if (i % 3 == 0) {
            aggregate.account(health(++id, begin + ms(9)));
        }
    }
    for (int i = 0; i < 3; ++i) {
        attribute::Account left_out = health(++id, at(ms(1)));
        left_out.unit.exclusion = request::Exclusion::older_than_attach;
        left_out.pieces.clear();
        left_out.by_cause = {};
        aggregate.account(left_out);
    }
    net::ConnectionSummary telemetry;
    telemetry.role = net::Role::client;
    telemetry.protocol = "unknown";
    telemetry.remote = {"192.0.2.9", 443};
    telemetry.bytes_read = 1000;
    telemetry.bytes_written = 4000;
    telemetry.opened_before_attach = true;
    aggregate.connection(telemetry);
    net::ConnectionSummary database;
    database.role = net::Role::client;
    database.protocol = "postgresql";
    database.remote = {"127.0.0.1", 5432};
    database.bytes_read = 9'000'000;
    database.bytes_written = 800'000;
    aggregate.connection(database);
    aggregate.statistics({.records = 4'910'220, .unknown_kinds = 0, .malformed = 0, .lost = 0, .out_of_order = 0});
}

inline analyze::Model shop() {
    analyze::Aggregate aggregate;
    fill_shop(aggregate);
    return aggregate.finish();
}

}  // namespace timesink::test
