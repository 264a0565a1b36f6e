#include "report/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "report/export.hpp"
#include "report/markdown.hpp"
#include "report/text.hpp"
#include "report/unit_tree.hpp"
#include "support/account_builder.hpp"
#include "support/shop.hpp"

namespace timesink::report {
namespace {

using attribute::Cause;
using nlohmann::json;
using test::AccountBuilder;
using test::at;
using test::ms;
using test::us;

std::int64_t sum_of(const json& members) {
    std::int64_t sum = 0;
    for (const auto& [key, value] : members.items()) {
        sum += value.get<std::int64_t>();
    }
    return sum;
}

/// What holds for any report: buckets and causes sum to the wall time, shares to one, and all levels agree.
void check(const json& report) {
    std::int64_t wall = 0;
    std::uint64_t units = 0;
    const auto figures = [](const json& of) {
        EXPECT_EQ(sum_of(of["buckets"]), of["wall_ns"].get<std::int64_t>());
        EXPECT_EQ(sum_of(of["causes"]), of["wall_ns"].get<std::int64_t>());
        EXPECT_EQ(of["latency"]["sum_ns"], of["wall_ns"]);
        EXPECT_EQ(of["latency"]["count"], of["units"]);
        double shares = 0;
        for (const auto& [bucket, share] : of["shares"].items()) {
            shares += share.is_null() ? 0 : share.get<double>();
        }
        if (of["wall_ns"] > 0) {
            EXPECT_NEAR(shares, 1, 1e-9);
        }
        std::int64_t on_path = 0;
        for (const json& call : of["calls"]) {
            EXPECT_EQ(sum_of(call["causes"]), call["on_path_ns"].get<std::int64_t>());
            on_path += call["on_path_ns"].get<std::int64_t>();
        }
        EXPECT_LE(on_path, of["wall_ns"].get<std::int64_t>());
    };
    figures(report["total"]);
    for (const json& route : report["routes"]) {
        figures(route);
        wall += route["wall_ns"].get<std::int64_t>();
        units += route["units"].get<std::uint64_t>();
    }
    EXPECT_EQ(wall, report["total"]["wall_ns"].get<std::int64_t>());
    EXPECT_EQ(units, report["total"]["units"].get<std::uint64_t>());
    for (const json& unit : report["slowest"]) {
        const std::int64_t length = unit["end_ns"].get<std::int64_t>() - unit["start_ns"].get<std::int64_t>();
        EXPECT_EQ(sum_of(unit["buckets"]), length);
        EXPECT_EQ(sum_of(unit["causes"]), length);
        std::int64_t counted = 0;
        for (const json& step : unit["steps"]) {
            counted += step["on_path_ns"].get<std::int64_t>();
            EXPECT_EQ(sum_of(step["causes"]), step["on_path_ns"].get<std::int64_t>());
        }
        EXPECT_EQ(counted, length);
    }
}

attribute::Account random_account(std::mt19937_64& random, std::uint64_t id) {
    const Instant begin = at(us(static_cast<std::int64_t>(random() % 60'000'000)));
    AccountBuilder unit(id, begin, random() % 2 == 0 ? "GET" : "POST", "/route/" + std::to_string(random() % 30));
    const auto length = [&] {
        return Duration(static_cast<Duration::rep>(random() % 3 == 0 ? random() % 100 : random() % 50'000'000));
    };
    for (std::uint64_t step = random() % 12; step > 0; --step) {
        switch (random() % 4) {
            case 0:
                unit.statement("SELECT " + std::to_string(random() % 20), length(), length());
                break;
            case 1:
                unit.call("host" + std::to_string(random() % 3), "GET", "/x/" + std::to_string(random() % 5), length(), length());
                break;
            default:
                unit.spend(static_cast<Cause>(random() % attribute::kCauseCount), length());
        }
    }
    unit.unit().status = random() % 10 == 0 ? 500 : 200;
    unit.unit().resources_known = random() % 2 == 0;
    unit.unit().connected = begin;
    unit.unit().accepted = begin + us(static_cast<std::int64_t>(random() % 500));
    attribute::Account account = unit.done();
    if (random() % 20 == 0) {
        account.unit.exclusion = static_cast<request::Exclusion>(1 + random() % 4);
        account.pieces.clear();
        account.by_cause = {};
    }
    return account;
}

TEST(Json, RandomAccountsSumExactlyOnEveryLevel) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        analyze::Aggregate aggregate({.slowest = 5, .routes = 8, .shapes = 10, .shapes_of_route = 4});
        test::tell_facts(aggregate, std::chrono::seconds(61));
        for (std::uint64_t id = 1; id <= 300; ++id) {
            aggregate.account(random_account(random, id));
        }
        if (seed % 2 == 0) {
            aggregate.merge_routes([](std::string_view, std::string_view route) { return std::string(route.substr(0, 8)); });
        }
        const analyze::Model model = aggregate.finish();
        const auto written = render_json(model, {});
        ASSERT_TRUE(written);
        check(json::parse(*written));
        for (const std::size_t width : {40U, 79U, 100U, 200U}) {
            EXPECT_TRUE(render_text(model, {.width = width}));
        }
        EXPECT_TRUE(render_markdown(model, {.slowest = 3}));
        EXPECT_TRUE(render_slowest(model, 5, {}));
    }
}

TEST(Json, TheShopAgreesWithItself) {
    const json report = json::parse(*render_json(test::shop(), {.slowest = 2, .unit = UnitId{2}}));
    check(report);
    EXPECT_EQ(report["schema"], "timesink.report");
    EXPECT_EQ(report["version"], kReportSchemaVersion);
    EXPECT_EQ(report["slowest"].size(), 2U);
    EXPECT_EQ(report["unit"]["id"], 2U);
    EXPECT_EQ(report["run"]["processes"][0]["runtime"], "python");
    EXPECT_EQ(report["coverage"]["excluded"]["older_than_attach"], 3U);
    EXPECT_EQ(report["findings"][0]["kind"], "repeated_call");
}

TEST(Json, AnEmptyModelIsWhole) {
    const json report = json::parse(*render_json(analyze::Model(), {}));
    check(report);
    EXPECT_TRUE(report["run"]["host"]["cpus"].is_null());
    EXPECT_TRUE(report["own_cost"]["cpu_ns"].is_null());
    EXPECT_TRUE(report["total"]["shares"]["db"].is_null());
}

TEST(Json, OneRouteOrOneUnitThatIsNotThereIsAnError) {
    EXPECT_EQ(json::parse(*render_json(test::shop(), {.route = "/checkout"}))["routes"].size(), 1U);
    EXPECT_FALSE(render_json(test::shop(), {.route = "/nowhere"}));
    EXPECT_FALSE(render_json(test::shop(), {.unit = UnitId{123456}}));
}

TEST(Json, TheSameRunGivesTheSameBytes) {
    EXPECT_EQ(*render_json(test::shop(), {}), *render_json(test::shop(), {}));
}

std::vector<json> exported(const std::function<void(JsonLines&)>& write) {
    std::ostringstream out;
    JsonLines lines(out, "0.1.0");
    write(lines);
    EXPECT_TRUE(lines.finish());
    std::vector<json> parsed;
    std::istringstream in(out.str());
    for (std::string line; std::getline(in, line);) {
        parsed.push_back(json::parse(line));
    }
    return parsed;
}

TEST(Export, FirstTheSchemaThenEachUnitWithItsExchanges) {
    const attribute::Account account = test::checkout(7, at(ms(3)));
    const auto lines = exported([&](JsonLines& out) {
        out.account(account);
        attribute::OwnedExchange stray = account.exchanges[0];
        stray.owner = UnitId{};
        stray.evidence = attribute::Evidence::ambiguous;
        stray.margin = 0.25;
        stray.exchange.fingerprint = 0;
        out.stray(stray);
    });
    ASSERT_EQ(lines.size(), 7U);
    EXPECT_EQ(lines[0]["type"], "schema");
    EXPECT_EQ(lines[0]["version"], JsonLines::kSchemaVersion);
    const json& unit = lines[1];
    for (const char* member :
         {"id",       "kind",   "method",   "path",    "route",  "status", "client",       "server",   "pid",         "tid",
          "start_ns", "end_ns", "complete", "buckets", "causes", "cpu_ns", "run_queue_ns", "syscalls", "page_faults", "bytes"}) {
        EXPECT_TRUE(unit.contains(member)) << member;
    }
    EXPECT_EQ(unit["type"], "unit");
    EXPECT_EQ(unit["kind"], "request");
    EXPECT_EQ(unit["client"], (json{{"addr", "127.0.0.1"}, {"port", 40000}}));
    EXPECT_EQ(unit["start_ns"], to_ns(at(ms(3))));
    EXPECT_EQ(sum_of(unit["buckets"]), to_ns(account.wall()));
    EXPECT_EQ(sum_of(unit["causes"]), to_ns(account.wall()));
    const json& exchange = lines[2];
    for (const char* member :
         {"id", "protocol", "operation", "statement", "fingerprint", "local", "remote", "sent_ns", "arrived_ns", "read_ns",
          "bytes_out", "bytes_in", "error", "owner", "evidence", "margin", "on_path_ns"}) {
        EXPECT_TRUE(exchange.contains(member)) << member;
    }
    EXPECT_EQ(exchange["type"], "exchange");
    EXPECT_EQ(exchange["owner"], 7U);
    EXPECT_EQ(exchange["on_path_ns"], 4'000'000);
    EXPECT_TRUE(exchange["error"].is_null());
    EXPECT_TRUE(lines[6]["owner"].is_null());
    EXPECT_TRUE(lines[6]["fingerprint"].is_null());
    EXPECT_EQ(lines[6]["margin"], 0.25);
}

TEST(Export, AUnitThatIsLeftOutHasNoFiguresAndSaysWhy) {
    attribute::Account account = test::health(3, at(ms(3)));
    account.unit.exclusion = request::Exclusion::unfinished;
    account.unit.end = Instant{};
    account.unit.resources_known = false;
    const auto lines = exported([&](JsonLines& out) { out.account(account); });
    EXPECT_EQ(lines.at(1)["excluded"], "unfinished");
    EXPECT_TRUE(lines[1]["buckets"].is_null());
    EXPECT_TRUE(lines[1]["end_ns"].is_null());
    EXPECT_TRUE(lines[1]["cpu_ns"].is_null());
    EXPECT_TRUE(lines[1]["syscalls"].is_null());
}

TEST(Export, AFullDiskIsAnError) {
    std::ostringstream out;
    JsonLines lines(out, "0.1.0");
    lines.account(test::health(1, at(ms(1))));
    out.setstate(std::ios::badbit);
    lines.account(test::health(2, at(ms(1))));
    const Status status = lines.finish();
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().what.find("after 2 lines"), std::string::npos);
}

TEST(Export, HostileNamesStayInTheirLine) {
    attribute::Account account = test::checkout(7, at(ms(3)));
    account.unit.path = "/\n{\"type\":\"unit\"}\x1b\xff";
    account.exchanges[0].exchange.statement = std::string("a\0b\r\n\xc3", 6);
    const auto lines = exported([&](JsonLines& out) { out.account(account); });
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[1]["path"], "/\n{\"type\":\"unit\"}\x1b\xef\xbf\xbd");
}

/// A request of 1 ms and its background work of 7 ms; its account.
attribute::Account tell_background(analyze::Aggregate& aggregate) {
    test::tell_facts(aggregate, std::chrono::seconds(10));
    AccountBuilder request(1, at(ms(3)), "POST", "/orders");
    aggregate.account(request.spend(Cause::cpu, ms(1)).done());
    AccountBuilder after(2, at(ms(4)), "POST", "/orders");
    after.unit().kind = request::UnitKind::background;
    after.unit().request = UnitId{1};
    attribute::Account account = after.statement("UPDATE orders SET sent = true", ms(5)).spend(Cause::cpu, ms(2)).done();
    aggregate.account(account);
    return account;
}

TEST(Json, BackgroundWorkIsInNoFigureOfTheRequests) {
    analyze::Aggregate aggregate({.keep_unit = UnitId{2}});
    tell_background(aggregate);
    const analyze::Model model = aggregate.finish();
    const json report = json::parse(*render_json(model, {.slowest = 5, .unit = UnitId{2}}));
    check(report);
    EXPECT_EQ(report["total"]["units"], 1U);
    EXPECT_EQ(report["total"]["wall_ns"], 1'000'000);
    EXPECT_EQ(report["total"]["exchanges"], 0U);
    EXPECT_EQ(report["routes"].size(), 1U);
    EXPECT_EQ(report["slowest"].size(), 1U);
    EXPECT_EQ(report["coverage"]["evidence"]["thread"]["exchanges"], 1U) << "its owner is known";
    const json& background = report["background"];
    EXPECT_EQ(background["units"], 1U);
    EXPECT_EQ(background["wall_ns"], 7'000'000);
    EXPECT_EQ(sum_of(background["causes"]), 7'000'000);
    ASSERT_EQ(background["routes"].size(), 1U);
    EXPECT_EQ(background["routes"][0]["route"], "/orders");
    EXPECT_EQ(background["routes"][0]["buckets"]["db"], 5'000'000);
    EXPECT_EQ(report["unit"]["kind"], "background");
    EXPECT_EQ(report["unit"]["request"], 1U);
    const std::string tree = *render_unit(model, UnitId{2}, {});
    EXPECT_NE(tree.find("after the response of unit 1"), std::string::npos) << tree;
}

TEST(Json, BackgroundWorkThatALossTouchedIsCountedOnly) {
    analyze::Aggregate aggregate;
    attribute::Account account = tell_background(aggregate);
    account.unit.id = UnitId{3};
    account.unit.exclusion = request::Exclusion::loss;
    aggregate.account(account);
    const json report = json::parse(*render_json(aggregate.finish(), {}));
    EXPECT_EQ(report["background"]["units"], 1U);
    EXPECT_EQ(report["background"]["excluded"], 1U);
    EXPECT_EQ(report["coverage"]["excluded"]["loss"], 0U) << "no request was left out";
}

TEST(Export, BackgroundWorkNamesItsRequestAndNoClient) {
    const std::vector<json> lines = exported([&](JsonLines& out) {
        analyze::Aggregate aggregate;
        out.account(tell_background(aggregate));
    });
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[1]["kind"], "background");
    EXPECT_EQ(lines[1]["request"], 1U);
    EXPECT_TRUE(lines[1]["client"].is_null());
    EXPECT_EQ(lines[1]["server"]["port"], 8000U);
    EXPECT_EQ(lines[2]["owner"], 2U);
}

}  // namespace
}  // namespace timesink::report
