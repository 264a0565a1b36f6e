#include "analyze/findings.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "analyze/aggregate.hpp"
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

/// A run of `count` units on GET /r, one every 20 ms, each told by `story`, on a host of two CPUs.
Model run_of(std::uint64_t count, const std::function<void(AccountBuilder&, std::uint64_t)>& story, int runnable = 1) {
    Aggregate aggregate;
    test::tell(aggregate, at({}), "host", {{"cpus", 2}});
    test::tell(aggregate, at({}), "attached", nlohmann::json::object());
    test::tell(aggregate, at({}), "host_sample", {{"idle_ns", 0}, {"steal_ns", 0}, {"user_ns", 0}, {"runnable", runnable}});
    for (std::uint64_t i = 0; i < count; ++i) {
        AccountBuilder unit(i + 1, at(ms(20) * static_cast<Duration::rep>(i)), "GET", "/r");
        story(unit, i);
        aggregate.account(unit.done());
    }
    return aggregate.finish();
}

std::vector<const Finding*> of_kind(const Model& model, FindingKind kind) {
    std::vector<const Finding*> found;
    for (const Finding& finding : model.findings) {
        if (finding.kind == kind) {
            found.push_back(&finding);
        }
    }
    return found;
}

constexpr auto kPlain = [](AccountBuilder& unit, std::uint64_t) {
    unit.spend(Cause::cpu, us(900))
        .statement("SELECT 1", us(300))
        .statement("SELECT 2", us(300))
        .spend(Cause::unattributed, us(50));
};

TEST(Findings, APlainServiceHasNone) {
    EXPECT_TRUE(run_of(1000, kPlain).findings.empty());
    EXPECT_TRUE(Model().findings.empty());
    EXPECT_TRUE(find_all(Model()).empty());
}

TEST(Findings, TheSameStatementAgainAndAgain) {
    const auto story = [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 10; ++i) {
            unit.statement("SELECT x", us(200)).spend(Cause::cpu, us(20));
        }
    };
    const Model model = run_of(30, story);
    const auto found = of_kind(model, FindingKind::repeated_call);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]->route, "/r");
    EXPECT_EQ(found[0]->subject, "SELECT x");
    EXPECT_DOUBLE_EQ(found[0]->per_unit, 10);
    EXPECT_EQ(*found[0]->gain, us(200) * 9 * 30);  // all but the first of each unit
    EXPECT_EQ(found[0]->sureness, Sureness::sure);
    EXPECT_TRUE(run_of(kFewestUnits - 1, story).findings.empty()) << "too few units to tell";
}

TEST(Findings, SayOfWhatTheirNumbersAre) {
    using request::UnitKind;
    const auto run = [](auto kind_of) {
        return run_of(60, [kind_of](AccountBuilder& unit, std::uint64_t i) {
            unit.unit().kind = kind_of(i);
            unit.unit().method = unit.unit().kind == UnitKind::job ? "" : "GET";
            unit.statement("SELECT x", ms(20)).spend(Cause::cpu, us(20));
        });
    };
    const auto unit_of = [](const Model& model) {
        const auto found = of_kind(model, FindingKind::slow_call);
        return found.size() == 1 ? found[0]->unit : std::optional(UnitKind::background);
    };
    EXPECT_EQ(unit_of(run([](std::uint64_t) { return UnitKind::request; })), UnitKind::request);
    EXPECT_EQ(unit_of(run([](std::uint64_t) { return UnitKind::job; })), UnitKind::job);
    EXPECT_EQ(unit_of(run([](std::uint64_t i) { return i % 2 == 0 ? UnitKind::job : UnitKind::request; })), std::nullopt);
}

TEST(Findings, OwnersThatAreInferredMakeItLikelyOnly) {
    const Model model = run_of(30, [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 10; ++i) {
            unit.statement("SELECT x", us(200), {}, [](auto& owned) { owned.evidence = attribute::Evidence::inferred; });
        }
    });
    EXPECT_EQ(of_kind(model, FindingKind::repeated_call).at(0)->sureness, Sureness::likely);
}

TEST(Findings, ThreeTimesTheSameOrDifferentStatementsAreNoLoop) {
    const Model thrice = run_of(100, [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 3; ++i) {
            unit.statement("SELECT x", us(200));
        }
    });
    EXPECT_TRUE(of_kind(thrice, FindingKind::repeated_call).empty());
    const Model different = run_of(100, [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 10; ++i) {
            unit.statement("SELECT x" + std::to_string(i), us(200));
        }
    });
    EXPECT_TRUE(of_kind(different, FindingKind::repeated_call).empty());
    const Model unnamed = run_of(100, [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 10; ++i) {
            unit.statement("", us(200), {}, [](auto& owned) { owned.exchange.fingerprint = 0; });
        }
    });
    EXPECT_TRUE(of_kind(unnamed, FindingKind::repeated_call).empty());
    const Model at_once = run_of(100, [](AccountBuilder& unit, std::uint64_t) {
        for (int i = 0; i < 10; ++i) {
            unit.statement("SELECT x", us(200), {},
                           [](auto& owned) { owned.exchange.read_end = owned.exchange.sent + std::chrono::hours(1); });
        }
    });
    EXPECT_TRUE(of_kind(at_once, FindingKind::repeated_call).empty()) << "calls that overlap are not one after the other";
}

TEST(Findings, WorkersAreSaturated) {
    const auto story = [](AccountBuilder& unit, std::uint64_t i) {
        unit.unit().resources_known = true;
        unit.unit().thread = ThreadId{static_cast<std::uint32_t>(100 + i % 2)};
        unit.spend(Cause::backlog, ms(30)).spend(Cause::cpu, ms(38));
    };
    const Model model = run_of(200, story);
    const auto found = of_kind(model, FindingKind::workers_saturated);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_DOUBLE_EQ(found[0]->capacity, 2);
    EXPECT_NEAR(found[0]->level, 3.4, 0.1);
    EXPECT_EQ(*found[0]->gain, ms(30) * 200);
    EXPECT_EQ(found[0]->sureness, Sureness::sure);

    const Model idle = run_of(200, [](AccountBuilder& unit, std::uint64_t i) {
        unit.unit().resources_known = true;
        unit.unit().thread = ThreadId{static_cast<std::uint32_t>(100 + i % 8)};
        unit.spend(Cause::backlog, ms(3)).spend(Cause::cpu, ms(5));
    });
    EXPECT_TRUE(of_kind(idle, FindingKind::workers_saturated).empty()) << "a backlog while workers are idle has another reason";
}

TEST(Findings, CpuIsSaturated) {
    const auto story = [](AccountBuilder& unit, std::uint64_t) { unit.spend(Cause::run_queue, ms(4)).spend(Cause::cpu, ms(6)); };
    EXPECT_EQ(of_kind(run_of(100, story, 5), FindingKind::cpu_saturated).at(0)->sureness, Sureness::sure);
    EXPECT_EQ(of_kind(run_of(100, story, 1), FindingKind::cpu_saturated).at(0)->sureness, Sureness::likely);
    const auto little = [](AccountBuilder& unit, std::uint64_t) {
        unit.spend(Cause::run_queue, us(100)).spend(Cause::cpu, ms(6));
    };
    EXPECT_TRUE(of_kind(run_of(100, little, 5), FindingKind::cpu_saturated).empty());
}

TEST(Findings, TheHypervisorStealsTime) {
    const auto with_steal = [](std::int64_t stolen) {
        Model model;
        model.total.ledger.units = 100;
        model.run.host.steal = static_cast<double>(stolen) / 1000;
        return find_all(model);
    };
    ASSERT_EQ(with_steal(50).size(), 1U);
    EXPECT_FALSE(with_steal(50)[0].gain.has_value());
    EXPECT_TRUE(with_steal(5).empty());
}

TEST(Findings, OneSlowCallDominates) {
    const Model model = run_of(
        50, [](AccountBuilder& unit, std::uint64_t) { unit.spend(Cause::cpu, ms(2)).call("api.test", "POST", "/v1/x", ms(6)); });
    const auto found = of_kind(model, FindingKind::slow_call);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]->subject, "api.test POST /v1/x");
    EXPECT_EQ(found[0]->route, "/r");
    EXPECT_EQ(*found[0]->gain, ms(6) * 50);
    const Model quick = run_of(50, [](AccountBuilder& unit, std::uint64_t) { unit.call("api.test", "POST", "/v1/x", us(900)); });
    EXPECT_TRUE(of_kind(quick, FindingKind::slow_call).empty()) << "quick calls are no finding even when they are all there is";
}

TEST(Findings, AConnectionForEveryRequest) {
    const auto story = [](std::uint64_t every) {
        return [every](AccountBuilder& unit, std::uint64_t i) {
            if (i % every == 0) {
                unit.statement("startup", ms(3), {}, [](auto& owned) {
                    owned.exchange.housekeeping = true;
                    owned.exchange.connect_began = owned.exchange.sent;
                });
            }
            unit.statement("SELECT x", us(500)).spend(Cause::cpu, ms(1));
        };
    };
    const Model model = run_of(100, story(1));
    const auto found = of_kind(model, FindingKind::connection_per_call);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]->subject, "postgresql");
    EXPECT_DOUBLE_EQ(found[0]->per_unit, 1);
    EXPECT_EQ(*found[0]->gain, ms(3) * 100);
    EXPECT_TRUE(of_kind(run_of(100, story(10)), FindingKind::connection_per_call).empty()) << "a pool opens some as well";
}

TEST(Findings, ProviderCallsThatCouldOverlap) {
    const auto story = [](Duration between) {
        return [between](AccountBuilder& unit, std::uint64_t) {
            unit.call("a.test", "GET", "/a", ms(4))
                .spend(Cause::cpu, between)
                .call("b.test", "GET", "/b", ms(6))
                .spend(Cause::cpu, ms(1));
        };
    };
    const Model model = run_of(50, story(us(50)));
    const auto found = of_kind(model, FindingKind::calls_in_sequence);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(*found[0]->gain, ms(4) * 50);
    EXPECT_DOUBLE_EQ(found[0]->per_unit, 2);
    EXPECT_EQ(found[0]->sureness, Sureness::unsure);
    EXPECT_TRUE(of_kind(run_of(50, story(ms(5))), FindingKind::calls_in_sequence).empty()) << "it worked on the first answer";
    const Model same = run_of(50, [](AccountBuilder& unit, std::uint64_t) {
        unit.call("a.test", "GET", "/page", ms(4)).call("a.test", "GET", "/page", ms(4));
    });
    EXPECT_TRUE(of_kind(same, FindingKind::calls_in_sequence).empty()) << "pages follow each other";
}

TEST(Findings, WaitsThatTakeAShare) {
    struct Case {
        Cause cause;
        FindingKind kind;
    };
    for (const Case& each :
         {Case{Cause::lock, FindingKind::lock_wait}, Case{Cause::disk, FindingKind::disk_wait},
          Case{Cause::page_fault, FindingKind::page_faults}, Case{Cause::pool_wait, FindingKind::pool_wait},
          Case{Cause::loop_busy, FindingKind::loop_busy}, Case{Cause::db_queue, FindingKind::connection_queue},
          Case{Cause::transfer_response, FindingKind::slow_client}, Case{Cause::transfer_request, FindingKind::slow_upload}}) {
        const auto story = [&](Duration wait) {
            return [wait, &each](AccountBuilder& unit, std::uint64_t) { unit.spend(Cause::cpu, ms(5)).spend(each.cause, wait); };
        };
        const auto found = run_of(50, story(ms(2))).findings;
        ASSERT_EQ(found.size(), 1U) << attribute::name(each.cause);
        EXPECT_EQ(found[0].kind, each.kind);
        EXPECT_EQ(*found[0].gain, ms(2) * 50);
        EXPECT_TRUE(run_of(50, story(us(100))).findings.empty()) << attribute::name(each.cause);
    }
}

TEST(Findings, LargeResults) {
    const auto story = [](std::uint64_t bytes) {
        return [bytes](AccountBuilder& unit, std::uint64_t) {
            unit.spend(Cause::cpu, ms(2)).statement("SELECT *", us(500), ms(1), [bytes](auto& owned) {
                owned.exchange.bytes_in = bytes;
            });
        };
    };
    const Model model = run_of(50, story(1'000'000));
    const auto found = of_kind(model, FindingKind::large_result);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]->bytes_each, 1'000'000U);
    EXPECT_EQ(*found[0]->gain, ms(1) * 50);
    EXPECT_TRUE(of_kind(run_of(50, story(1000)), FindingKind::large_result).empty());
}

TEST(Findings, ErrorsOfARouteAndTheirBurst) {
    const auto failing = [](std::uint64_t from, std::uint64_t to) {
        return [from, to](AccountBuilder& unit, std::uint64_t i) {
            kPlain(unit, i);
            unit.unit().status = i >= from && i < to ? 503 : 200;
        };
    };
    const Model burst = run_of(1000, failing(410, 440));
    ASSERT_EQ(of_kind(burst, FindingKind::errors).size(), 1U);
    EXPECT_EQ(of_kind(burst, FindingKind::errors)[0]->count, 30U);
    ASSERT_EQ(of_kind(burst, FindingKind::error_burst).size(), 1U);
    EXPECT_EQ(of_kind(burst, FindingKind::error_burst)[0]->at, std::chrono::seconds(8));
    EXPECT_TRUE(run_of(1000, failing(410, 415)).findings.empty()) << "a few errors happen";

    const Model steady = run_of(1000, [](AccountBuilder& unit, std::uint64_t i) {
        kPlain(unit, i);
        unit.unit().status = i % 20 == 0 ? 500 : 200;
    });
    EXPECT_EQ(of_kind(steady, FindingKind::errors).size(), 1U);
    EXPECT_TRUE(of_kind(steady, FindingKind::error_burst).empty());
}

TEST(Findings, Retransmits) {
    Model model;
    model.coverage.retransmits = 40;
    model.coverage.evidence[1].exchanges = 5000;
    EXPECT_TRUE(find_all(model).empty()) << "within the host, or while connecting to it";
    model.coverage.retransmits_to_others = 40;
    ASSERT_EQ(find_all(model).size(), 1U);
    EXPECT_EQ(find_all(model)[0].kind, FindingKind::retransmits);
    model.coverage.evidence[1].exchanges = 5'000'000;
    EXPECT_TRUE(find_all(model).empty());
}

TEST(Findings, JobsThatWaitForAWorker) {
    const auto jobs = [](Duration wait) {
        return run_of(30, [wait](AccountBuilder& unit, std::uint64_t) {
            unit.spend(Cause::cpu, ms(10));
            unit.unit().kind = request::UnitKind::job;
            unit.unit().added = unit.unit().begin - wait;
        });
    };
    const Model model = jobs(ms(30));
    ASSERT_EQ(of_kind(model, FindingKind::job_queue).size(), 1U);
    const Finding& finding = *of_kind(model, FindingKind::job_queue).front();
    EXPECT_EQ(finding.each, ms(30));
    EXPECT_DOUBLE_EQ(finding.level, 3);
    EXPECT_NEAR(finding.capacity, 0.5, 0.02);  // 10 ms of every 20
    EXPECT_EQ(finding.gain, std::nullopt);
    EXPECT_TRUE(of_kind(jobs(ms(4)), FindingKind::job_queue).empty());
}

TEST(Findings, TheLargestGainComesFirstAndThoseWithoutAnEstimateLast) {
    const Model model = run_of(100, [](AccountBuilder& unit, std::uint64_t i) {
        unit.spend(Cause::lock, ms(1)).spend(Cause::disk, ms(3)).call("a.test", "GET", "/a", ms(6));
        unit.unit().status = i % 5 == 0 ? 500 : 200;
    });
    std::vector<FindingKind> kinds;
    for (const Finding& finding : model.findings) {
        kinds.push_back(finding.kind);
    }
    EXPECT_EQ(kinds, (std::vector{FindingKind::slow_call, FindingKind::disk_wait, FindingKind::lock_wait, FindingKind::errors}));
}

}  // namespace
}  // namespace timesink::analyze
