#include "analyze/aggregate.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "support/account_builder.hpp"
#include "support/shop.hpp"

namespace timesink::analyze {
namespace {

using attribute::Bucket;
using attribute::Cause;
using test::AccountBuilder;
using test::at;
using test::ms;
using test::us;

attribute::Account simple(std::uint64_t id, std::string_view route, Duration wall) {
    return AccountBuilder(id, at(ms(static_cast<std::int64_t>(id))), "GET", route).spend(Cause::cpu, wall).done();
}

TEST(Aggregate, SumsAreExactAndAgreeBetweenTheRunItsRoutesAndItsCalls) {
    const Model model = test::shop();
    Ledger sum;
    std::uint64_t exchanges = 0;
    for (const RouteLine& route : model.routes) {
        sum.add(route.figures.ledger);
        exchanges += route.figures.exchanges;
        EXPECT_EQ(std::accumulate(route.figures.ledger.by_cause.begin(), route.figures.ledger.by_cause.end(), Duration{}),
                  route.figures.ledger.wall);
    }
    EXPECT_EQ(sum.units, model.total.ledger.units);
    EXPECT_EQ(sum.wall, model.total.ledger.wall);
    EXPECT_EQ(sum.by_cause, model.total.ledger.by_cause);
    EXPECT_EQ(sum.hidden, model.total.ledger.hidden);
    EXPECT_EQ(exchanges, model.total.exchanges);
    Duration on_path{};
    for (const CallLine& call : model.total.calls) {
        on_path += call.on_path;
        EXPECT_EQ(std::accumulate(call.by_cause.begin(), call.by_cause.end(), Duration{}), call.on_path);
    }
    EXPECT_EQ(on_path, model.total.ledger.bucket(Bucket::db) + model.total.ledger.bucket(Bucket::provider));
    EXPECT_EQ(model.total.latency.sum, model.total.ledger.wall);
}

TEST(Aggregate, ExcludedUnitsAreCountedAndInNoFigure) {
    Aggregate aggregate;
    attribute::Account lost = test::orders(1, at(ms(1)));
    lost.unit.exclusion = request::Exclusion::loss;
    aggregate.account(lost);
    aggregate.account(simple(2, "/", ms(1)));
    const Model model = aggregate.finish();
    EXPECT_EQ(model.total.ledger.units, 1U);
    EXPECT_EQ(model.total.exchanges, 0U);
    EXPECT_EQ(model.coverage.excluded[static_cast<std::size_t>(request::Exclusion::loss)], 1U);
    EXPECT_EQ(model.coverage.exchanges_excluded, 20U);
    EXPECT_EQ(model.routes.size(), 1U);
    for (const EvidenceShare& share : model.coverage.evidence) {
        EXPECT_EQ(share.exchanges, 0U);
    }
}

TEST(Aggregate, EvidenceIsCountedByExchangesAndByTheirTime) {
    Aggregate aggregate;
    aggregate.account(test::orders(1, at(ms(1))));
    attribute::OwnedExchange stray = test::checkout(2, at(ms(2))).exchanges.front();
    stray.owner = UnitId{};
    stray.evidence = attribute::Evidence::ambiguous;
    aggregate.stray(stray);
    const Model model = aggregate.finish();
    const auto& evidence = model.coverage.evidence;
    EXPECT_EQ(evidence[static_cast<std::size_t>(attribute::Evidence::thread)].exchanges, 20U);
    EXPECT_EQ(evidence[static_cast<std::size_t>(attribute::Evidence::ambiguous)].exchanges, 1U);
    EXPECT_EQ(evidence[static_cast<std::size_t>(attribute::Evidence::ambiguous)].time, us(4000));
}

TEST(Aggregate, RoutesAreBoundedAndTheHeavyOnesStay) {
    Aggregate aggregate({.routes = 10});
    std::uint64_t id = 0;
    for (int round = 0; round < 50; ++round) {
        aggregate.account(simple(++id, "/heavy", ms(100)));
        for (int i = 0; i < 20; ++i) {
            aggregate.account(simple(++id, "/scan/" + std::to_string(round * 20 + i), us(10)));
        }
    }
    const Model model = aggregate.finish();
    ASSERT_EQ(model.routes.size(), 11U);
    EXPECT_EQ(model.routes.front().route, "/heavy");
    EXPECT_EQ(model.routes.front().figures.ledger.units, 50U);
    EXPECT_FALSE(model.routes.front().partial);
    EXPECT_TRUE(model.routes.back().other);
    EXPECT_EQ(model.routes_folded, 991U);
    std::uint64_t units = 0;
    for (const RouteLine& route : model.routes) {
        units += route.figures.ledger.units;
    }
    EXPECT_EQ(units, id);
}

TEST(Aggregate, ShapesOfCallsAreBoundedAndTheirSumsStay) {
    Aggregate aggregate({.shapes = 5, .shapes_of_route = 5});
    AccountBuilder unit(1, at(ms(1)), "GET", "/");
    for (int i = 0; i < 100; ++i) {
        unit.statement("SELECT " + std::to_string(i), us(100));
    }
    aggregate.account(unit.done());
    const Model model = aggregate.finish();
    ASSERT_EQ(model.total.calls.size(), 6U);
    EXPECT_TRUE(model.total.calls.back().other);
    EXPECT_EQ(model.total.calls_folded, 95U);
    EXPECT_EQ(model.total.calls.back().on_path, us(9500));
    EXPECT_EQ(model.total.calls.back().cause(Cause::db_server), us(9500));
}

TEST(Aggregate, MergingRoutesAddsThemUpAndRenamesKeptUnitsOnce) {
    Aggregate aggregate;
    aggregate.account(simple(1, "/a/1", ms(2)));
    aggregate.account(simple(2, "/a/2", ms(3)));
    aggregate.account(simple(3, "/b", ms(4)));
    aggregate.merge_routes([](std::string_view, std::string_view route) { return std::string(route.substr(0, 2)) + "{x}"; });
    const Model model = aggregate.finish();
    ASSERT_EQ(model.routes.size(), 2U);
    EXPECT_EQ(model.routes[0].route, "/a{x}");
    EXPECT_EQ(model.routes[0].figures.ledger.units, 2U);
    EXPECT_EQ(model.routes[0].figures.ledger.wall, ms(5));
    EXPECT_EQ(model.routes[0].figures.latency.max, ms(3));
    ASSERT_EQ(model.routes[0].figures.slowest.size(), 2U);
    EXPECT_EQ(model.routes[0].figures.slowest[0]->account.unit.route, "/a{x}");
    EXPECT_EQ(model.total.slowest[0]->account.unit.route, "/b{x}");
}

TEST(Aggregate, KeepsTheSlowestSlowestFirstAndTheOneAskedFor) {
    Aggregate aggregate({.slowest = 2, .slowest_of_route = 1, .sample = 3, .keep_unit = UnitId{4}});
    for (std::uint64_t id = 1; id <= 9; ++id) {
        aggregate.account(simple(id, id % 2 == 0 ? "/even" : "/odd", ms(static_cast<std::int64_t>(id % 5))));
    }
    const Model model = aggregate.finish();
    ASSERT_EQ(model.total.slowest.size(), 2U);
    EXPECT_EQ(model.total.slowest[0]->account.unit.id, UnitId{4});  // of two equally slow ones the first
    EXPECT_EQ(model.total.slowest[1]->account.unit.id, UnitId{9});
    ASSERT_TRUE(model.wanted);
    EXPECT_EQ(model.wanted->account.unit.id, UnitId{4});
    EXPECT_EQ(model.sample.size(), 3U);
    EXPECT_LT(model.sample[0]->account.unit.id, model.sample[1]->account.unit.id);
}

TEST(Aggregate, TheSampleIsFairAndTheSameEveryTime) {
    const auto draw = [] {
        Aggregate aggregate({.sample = 100});
        for (std::uint64_t id = 1; id <= 10'000; ++id) {
            aggregate.account(simple(id, "/", ms(1)));
        }
        std::vector<std::uint64_t> ids;
        for (const auto& unit : aggregate.finish().sample) {
            ids.push_back(number(unit->account.unit.id));
        }
        return ids;
    };
    const std::vector<std::uint64_t> ids = draw();
    EXPECT_EQ(ids, draw());
    ASSERT_EQ(ids.size(), 100U);
    const double mean = static_cast<double>(std::accumulate(ids.begin(), ids.end(), std::uint64_t{0})) / 100;
    EXPECT_NEAR(mean, 5000, 1500);
}

TEST(Aggregate, AKeptUnitIsCutOffAndSaysSo) {
    Aggregate aggregate({.slowest = 0, .slowest_of_route = 1, .sample = 0});
    AccountBuilder unit(1, at(ms(1)), "GET", "/");
    for (int i = 0; i < 100; ++i) {
        unit.statement("SELECT 1", us(100));
    }
    aggregate.account(unit.done());
    const Model model = aggregate.finish();
    const Exemplar& kept = *model.routes[0].figures.slowest.at(0);
    EXPECT_EQ(kept.account.exchanges.size(), 64U);
    EXPECT_EQ(kept.exchanges_omitted, 36U);
}

TEST(Aggregate, TheTimeSeriesHalvesItsResolutionInsteadOfGrowing) {
    Aggregate aggregate;
    test::tell(aggregate, at({}), "attached", nlohmann::json::object());
    for (int second = 0; second < 5000; ++second) {
        AccountBuilder unit(static_cast<std::uint64_t>(second) + 1, at(std::chrono::seconds(second)), "GET", "/");
        aggregate.account(unit.spend(Cause::cpu, ms(500)).done());
    }
    const Model model = aggregate.finish();
    EXPECT_LE(model.series.points.size(), Timeline::kMaximumPoints);
    EXPECT_EQ(model.series.step, std::chrono::seconds(16));
    std::uint64_t units = 0;
    Duration in_flight{};
    for (const SeriesPoint& point : model.series.points) {
        units += point.units;
        in_flight += point.in_flight;
        EXPECT_FALSE(point.rss_bytes.has_value());
    }
    EXPECT_EQ(units, 5000U);
    EXPECT_EQ(in_flight, ms(500) * 5000);
    EXPECT_NEAR(model.load.in_flight, 0.5, 0.001);
}

TEST(Aggregate, AUnitInFlightForManySecondsCountsIntoEachOfThem) {
    Aggregate aggregate;
    test::tell(aggregate, at({}), "attached", nlohmann::json::object());
    aggregate.account(AccountBuilder(1, at(ms(500)), "GET", "/").spend(Cause::sleep, ms(2000)).done());
    const Model model = aggregate.finish();
    ASSERT_EQ(model.series.points.size(), 3U);
    EXPECT_EQ(model.series.points[0].in_flight, ms(500));
    EXPECT_EQ(model.series.points[1].in_flight, ms(1000));
    EXPECT_EQ(model.series.points[2].in_flight, ms(500));
    EXPECT_EQ(model.series.points[2].units, 1U);
}

TEST(Aggregate, FactsTellTargetHostAndOwnCost) {
    const Model model = test::shop();
    ASSERT_EQ(model.run.processes.size(), 2U);
    EXPECT_EQ(model.run.processes[0].pid, 4711U);
    EXPECT_EQ(model.run.processes[0].command_line, "gunicorn shop:app");
    EXPECT_EQ(model.run.processes[1].units, 614U);
    EXPECT_EQ(model.run.processes[1].cpu, Duration(std::chrono::seconds(5)));
    EXPECT_EQ(model.run.length(), std::chrono::seconds(10));
    EXPECT_EQ(model.run.ports, std::vector<std::uint16_t>{8000});
    EXPECT_NEAR(*model.run.host.steal, 0.002, 1e-9);
    EXPECT_NEAR(*model.run.host.runnable, 5, 1e-9);
    EXPECT_EQ(model.own_cost.programs.at(0).program, "sys_exit");
    ASSERT_TRUE(model.series.points.at(3).rss_bytes);
    EXPECT_EQ(*model.series.points.at(3).rss_bytes, 80'003'000U);
    EXPECT_EQ(model.coverage.opaque.at(0).peer, "192.0.2.9:443");
}

TEST(Aggregate, FactsOfAnotherShapeAreIgnored) {
    using nlohmann::json;
    const json bodies[] = {json(nullptr),
                           json::array({1, 2}),
                           json("text"),
                           {{"pid", "x"}, {"cpu_ns", -4}, {"bpf", 7}, {"command_line", 3}, {"attached", "no"}},
                           {{"pid", -1}, {"rss_bytes", 1.5}, {"bpf", {1, "two", {{"runs", "many"}}}}, {"cpus", json::object()}},
                           {{"pid", 7}, {"cpu_ns", std::numeric_limits<std::uint64_t>::max()}, {"value", json::array()}}};
    Aggregate aggregate;
    for (const char* name : {"host", "timesink", "target", "process", "probe", "attached", "sample", "host_sample", "drops",
                             "own_cost", "detached", "of a newer version", ""}) {
        for (const json& body : bodies) {
            aggregate.fact({at(ms(1)), name, body});
        }
    }
    const Model model = aggregate.finish();
    EXPECT_TRUE(model.run.host.kernel.empty());
    EXPECT_FALSE(model.run.host.cpus.has_value());
}

TEST(Aggregate, ACutOffRunLastsUntilItsLastEvent) {
    Aggregate aggregate;
    test::tell(aggregate, at({}), "attached", nlohmann::json::object());
    aggregate.account(simple(1000, "/", ms(500)));
    const Model model = aggregate.finish();
    EXPECT_FALSE(model.run.detached);
    EXPECT_EQ(model.run.length(), ms(1500));
}

TEST(Aggregate, OfWindowsOnlyWhatWasWatchedCounts) {
    using nlohmann::json;
    Aggregate aggregate;
    for (const std::int64_t begin : {1000, 11000, 21000}) {
        test::tell(aggregate, at(ms(begin)), "attached", json::object());
        const auto told = static_cast<std::uint64_t>(begin);
        test::tell(aggregate, at(ms(begin)), "sample", {{"pid", 7}, {"cpu_ns", 1'000'000 * told}});
        test::tell(aggregate, at(ms(begin)), "host_sample",
                   {{"user_ns", told}, {"system_ns", 0}, {"idle_ns", 0}, {"iowait_ns", 0}, {"steal_ns", 100 * told}});
        test::tell(aggregate, at(ms(begin)), "probe", {{"name", "gone"}, {"attached", false}});
        test::tell(aggregate, at(ms(begin)), "runtime", {{"pid", 7}, {"runtime", "ruby"}, {"error", "unknown"}});
        aggregate.account(simple(static_cast<std::uint64_t>(begin), "/", ms(400)));
        aggregate.account(simple(static_cast<std::uint64_t>(begin) + 400, "/", ms(100)));
        test::tell(aggregate, at(ms(begin + 800)), "sample", {{"pid", 7}, {"cpu_ns", 1'000'000 * (told + 50)}});
        test::tell(aggregate, at(ms(begin + 800)), "host_sample",
                   {{"user_ns", told + 3}, {"system_ns", 0}, {"idle_ns", 1}, {"iowait_ns", 0}, {"steal_ns", 100 * told}});
        test::tell(
            aggregate, at(ms(begin + 900)), "own_cost",
            {{"cpu_ns", 10}, {"events", 5}, {"bpf_measured_ns", 100}, {"bpf", {{{"program", "a"}, {"runs", 2}, {"ns", 30}}}}});
        test::tell(aggregate, at(ms(begin + 1000)), "detached", json::object());
        aggregate.detached();
    }
    const Model model = aggregate.finish();
    ASSERT_EQ(model.run.windows.size(), 3U);
    EXPECT_EQ(model.run.windows[1].began, at(ms(11000)));
    EXPECT_EQ(model.run.windows[1].ended, at(ms(12000)));
    EXPECT_TRUE(model.run.detached);
    EXPECT_EQ(model.run.watched(), ms(3000));
    EXPECT_EQ(model.run.length(), ms(21000));
    EXPECT_EQ(model.run.processes.at(0).cpu, ms(150));
    EXPECT_NEAR(*model.run.host.busy, 0.75, 1e-9);
    EXPECT_NEAR(*model.run.host.steal, 0, 1e-9);
    EXPECT_NEAR(model.load.in_flight, 1, 1e-9);
    EXPECT_EQ(model.coverage.missing_probes.size(), 1U);
    EXPECT_EQ(model.coverage.runtime_gaps.at(0).processes, 1U);
    EXPECT_EQ(model.own_cost.cpu, Duration(30));
    EXPECT_EQ(model.own_cost.events, 15U);
    EXPECT_EQ(model.own_cost.bpf_measured, Duration(300));
    ASSERT_EQ(model.own_cost.programs.size(), 1U);
    EXPECT_EQ(model.own_cost.programs[0].runs, 6U);
}

TEST(Aggregate, WorkersAreBusyFromTheReadUntilTheEnd) {
    Aggregate aggregate;
    for (int i = 0; i < 100; ++i) {
        AccountBuilder unit(static_cast<std::uint64_t>(i) + 1, at(ms(10 * i)), "GET", "/");
        unit.spend(Cause::backlog, ms(2)).spend(Cause::cpu, ms(8));
        unit.unit().resources_known = true;
        aggregate.account(unit.done());
    }
    const Model model = aggregate.finish();
    EXPECT_EQ(model.load.workers, 1U);
    EXPECT_NEAR(model.load.occupancy, 0.8, 0.001);
    EXPECT_NEAR(model.load.in_flight, 1.0, 0.001);
}

TEST(Aggregate, CallCountsAndRetransmitsBelongToTheRun) {
    Aggregate aggregate;
    const std::array<ts_call_count, 3> counts = {
        {{TS_CLASS_IO_URING, 0, 1, 5, 700, 0}, {TS_CLASS_FUTEX, 0, 0, 2, 30, 0}, {200, 0, 0, 9, 9, 9}}};
    aggregate.calls(counts);
    aggregate.calls(counts);
    aggregate.retransmit({at(ms(1)), SocketId{7}});
    test::tell(aggregate, at(ms(2)), "drops", {{"cpu", 0}, {"count", 4}});
    test::tell(aggregate, at(ms(2)), "drops", {{"cpu", 1}, {"count", 3}});
    aggregate.statistics({.records = 10, .unknown_kinds = 0, .malformed = 0, .lost = 5, .out_of_order = 0});
    const Model model = aggregate.finish();
    EXPECT_EQ(model.coverage.calls[TS_CLASS_IO_URING].calls, 10U);
    EXPECT_EQ(model.coverage.calls[TS_CLASS_IO_URING].errors, 2U);
    EXPECT_EQ(model.coverage.retransmits, 1U);
    EXPECT_EQ(model.coverage.lost, 7U);  // the kernel's counters know of losses at the very end
}

TEST(Aggregate, WhatTheKernelDidNotLetUsSeeIsCountedOverAllWindows) {
    Aggregate aggregate;
    test::tell(aggregate, at(ms(1)), "own_cost", {{"threads_missed", 2}, {"probe_runs_missed", 40}});
    test::tell(aggregate, at(ms(2)), "own_cost", {{"probe_runs_missed", 2}});
    const Model model = aggregate.finish();
    EXPECT_EQ(model.coverage.threads_missed, 2U);
    EXPECT_EQ(model.coverage.probe_runs_missed, 42U);
}

}  // namespace
}  // namespace timesink::analyze
