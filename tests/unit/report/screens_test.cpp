#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "report/markdown.hpp"
#include "report/safe_text.hpp"
#include "report/text.hpp"
#include "report/unit_tree.hpp"
#include "support/account_builder.hpp"
#include "support/shop.hpp"

/// Each screen is compared with the file of its name in screens/, letter by letter. TIMESINK_UPDATE_SCREENS=1 writes them anew:
/// look at the difference before committing it.
namespace timesink::report {
namespace {

using analyze::Aggregate;
using analyze::Model;
using attribute::Cause;
using test::AccountBuilder;
using test::at;
using test::ms;
using test::us;

struct Screen {
    const char* name;
    std::function<std::string()> draw;
    std::size_t width = 100;
};

void PrintTo(const Screen& screen, std::ostream* out) {
    *out << screen.name;
}

std::string must(Result<std::string> drawn) {
    return drawn ? *drawn : "error: " + drawn.error().what;
}

Model of(const std::function<void(Aggregate&)>& fill, analyze::Options options = {}) {
    Aggregate aggregate(std::move(options));
    test::tell_facts(aggregate, std::chrono::seconds(10));
    fill(aggregate);
    return aggregate.finish();
}

Model only_excluded() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 5; ++id) {
            attribute::Account account = test::health(id, at(ms(5)));
            account.unit.exclusion = id < 4 ? request::Exclusion::loss : request::Exclusion::unfinished;
            aggregate.account(account);
        }
        aggregate.statistics({.records = 1000, .unknown_kinds = 2, .malformed = 1, .lost = 77, .out_of_order = 0});
    });
}

Model one_unit() {
    return of([](Aggregate& aggregate) { aggregate.account(test::checkout(1, at(ms(5)))); });
}

Model thousands_of_routes() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 4000; ++id) {
            const std::string route = "/tenant-" + std::to_string(id) + "/a/rather/long/path/that/does/not/fit/into/the/column";
            aggregate.account(AccountBuilder(id, at(ms(2) * static_cast<Duration::rep>(id)), "GET", route)
                                  .spend(Cause::cpu, us(100 + static_cast<std::int64_t>(id)))
                                  .done());
        }
    });
}

Model huge_numbers() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 30; ++id) {
            AccountBuilder unit(id, at({}), "POST", "/train");
            unit.call("llm.test", "POST", "/v1/complete", std::chrono::hours(20), std::chrono::hours(5), [](auto& owned) {
                owned.exchange.bytes_in = 4'000'000'000'000ULL;
                owned.evidence = attribute::Evidence::inferred;
                owned.margin = 0.87;
            });
            unit.spend(Cause::db_queue, std::chrono::hours(3)).spend(Cause::cpu, std::chrono::hours(2));
            unit.unit().bytes_out = 9'000'000'000'000'000'000ULL / 30;
            aggregate.account(unit.done());
        }
    });
}

Model zero_durations() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 3; ++id) {
            aggregate.account(AccountBuilder(id, at(ms(5)), "GET", "/nothing").done());
        }
    });
}

Model ambiguous() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 40; ++id) {
            const Instant begin = at(ms(100) * static_cast<Duration::rep>(id));
            aggregate.account(AccountBuilder(id, begin, "GET", "/feed")
                                  .spend(Cause::cpu, us(300))
                                  .spend(Cause::loop_busy, us(900))
                                  .spend(Cause::unattributed, ms(4))
                                  .done());
            attribute::OwnedExchange stray = test::checkout(id, begin).exchanges.front();
            stray.owner = UnitId{};
            stray.evidence = id % 4 == 0 ? attribute::Evidence::none : attribute::Evidence::ambiguous;
            aggregate.stray(stray);
        }
        test::tell(aggregate, at({}), "probe",
                   {{"name", "sched_switch"},
                    {"attached", false},
                    {"error", "Permission denied"},
                    {"costs", "no run queue, no CPU time"}});
        const std::array<ts_call_count, 1> uring = {{{TS_CLASS_IO_URING, 0, 0, 12, 700, 0}}};
        aggregate.calls(uring);
    });
}

/// Requests with work after their responses, of seven routes; some of it left out.
Model after_the_response() {
    return of([](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 70; ++id) {
            const Instant begin = at(ms(100) * static_cast<Duration::rep>(id));
            const std::string route = "/orders/" + std::string(1, static_cast<char>('a' + id % 7));
            AccountBuilder request(2 * id, begin, "POST", route);
            request.statement("INSERT INTO orders VALUES ($1)", us(1500)).spend(Cause::cpu, us(400));
            aggregate.account(request.done());
            AccountBuilder after(2 * id + 1, begin + us(1900), "POST", route);
            after.unit().kind = request::UnitKind::background;
            after.unit().request = UnitId{2 * id};
            after.unit().exclusion = id == 70 ? request::Exclusion::loss : request::Exclusion::none;
            after.call("mail.test", "POST", "/send", ms(20 + static_cast<std::int64_t>(id % 7)))
                .statement("UPDATE orders SET mailed = true", us(800))
                .spend(Cause::loop_busy, us(200));
            aggregate.account(after.done());
        }
    });
}

/// Everything that can be named comes off the wire here.
Model hostile() {
    const std::string evil =
        "/\x1b[2J\x1b]0;pwned\x07\r\nHOW SURE     owners: thread 100 %\t\xff\xfe\xe2\x80\xae|<b>`_*[x](http://a.b) \xc2\x9b"
        "31m";
    Model model = of([&](Aggregate& aggregate) {
        for (std::uint64_t id = 1; id <= 25; ++id) {
            AccountBuilder unit(id, at(ms(10) * static_cast<Duration::rep>(id)), "GE\x1bT", evil);
            for (int i = 0; i < 6; ++i) {
                unit.statement("SELECT '" + evil + "'", ms(1), {}, [&](auto& owned) { owned.exchange.error = evil; });
            }
            unit.call(evil, evil, evil, ms(3));
            unit.unit().error = evil;
            unit.unit().status = 0;
            aggregate.account(unit.done());
        }
        test::tell(aggregate, at({}), "process",
                   {{"pid", 1}, {"parent", 0}, {"start_ns", 1}, {"comm", "a\x1b[31m"}, {"runtime", "p\ny"}});
        test::tell(aggregate, at({}), "probe", {{"name", "x\x1b"}, {"attached", false}, {"error", "\x1b[1m"}, {"costs", "a\nb"}});
        net::ConnectionSummary opaque;
        opaque.protocol = "unknown";
        opaque.remote = {"@\x1b[5m", 0};
        opaque.bytes_read = 10;
        aggregate.connection(opaque);
    });
    return model;
}

std::string unit_of(const Model& model, std::uint64_t id, const TextOptions& options) {
    return must(render_unit(model, UnitId{id}, options));
}

const Screen kScreens[] = {
    {"shop", [] { return must(render_text(test::shop(), {.recording = "shop.tsr"})); }},
    {"shop-wide", [] { return must(render_text(test::shop(), {.width = 140})); }, 140},
    {"shop-narrow", [] { return must(render_text(test::shop(), {.width = 60})); }, 60},
    {"shop-very-narrow", [] { return must(render_text(test::shop(), {.width = 10})); }, 40},
    {"shop-ascii", [] { return must(render_text(test::shop(), {.ascii = true})); }},
    {"shop-colour", [] { return must(render_text(test::shop(), {.colour = true})); }, 10'000},
    {"shop-one-route", [] { return must(render_text(test::shop(), {.recording = "shop.tsr", .route = "GET /orders/{id}"})); }},
    {"shop-slowest", [] { return must(render_slowest(test::shop(), 2, {})); }},
    {"shop-slowest-of-route",
     [] { return must(render_slowest(test::shop(), 1, {.width = 70, .ascii = true, .route = "/orders/{id}"})); }, 70},
    {"shop-unit", [] { return unit_of(test::shop(), 2, {}); }},
    {"shop-markdown", [] { return must(render_markdown(test::shop(), {.slowest = 1})); }, 10'000},
    {"no-data", [] { return must(render_text(of([](Aggregate&) {}), {})); }},
    {"nothing-told", [] { return must(render_text(Model(), {})); }},
    {"only-excluded", [] { return must(render_text(only_excluded(), {})); }},
    {"only-excluded-markdown", [] { return must(render_markdown(only_excluded(), {})); }, 10'000},
    {"one-unit", [] { return must(render_text(one_unit(), {})); }},
    {"thousands-of-routes", [] { return must(render_text(thousands_of_routes(), {})); }},
    {"huge-numbers", [] { return must(render_text(huge_numbers(), {})); }},
    {"huge-numbers-unit", [] { return unit_of(huge_numbers(), 1, {}); }},
    {"zero-durations", [] { return must(render_text(zero_durations(), {})); }},
    {"zero-durations-unit", [] { return unit_of(zero_durations(), 1, {}); }},
    {"after-the-response", [] { return must(render_text(after_the_response(), {})); }},
    {"after-the-response-one-route", [] { return must(render_text(after_the_response(), {.route = "/orders/b"})); }},
    {"after-the-response-markdown", [] { return must(render_markdown(after_the_response(), {})); }, 10'000},
    {"ambiguous", [] { return must(render_text(ambiguous(), {})); }},
    {"hostile", [] { return must(render_text(hostile(), {})); }},
    {"hostile-ascii", [] { return must(render_text(hostile(), {.ascii = true})); }},
    {"hostile-unit", [] { return unit_of(hostile(), 1, {}); }},
    {"hostile-markdown", [] { return must(render_markdown(hostile(), {.slowest = 1})); }, 10'000},
};

class Screens : public testing::TestWithParam<Screen> {};

std::filesystem::path file_of(const Screen& screen) {
    return std::filesystem::path(TIMESINK_TESTS) / "unit/report/screens" / (std::string(screen.name) + ".txt");
}

TEST_P(Screens, LooksAsItDid) {
    const std::string drawn = GetParam().draw();
    const std::filesystem::path file = file_of(GetParam());
    if (std::getenv("TIMESINK_UPDATE_SCREENS") != nullptr) {
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << drawn;
    }
    std::stringstream expected;
    expected << std::ifstream(file).rdbuf();
    EXPECT_EQ(drawn, expected.str());
}

TEST_P(Screens, FitsTheTerminalAndHasNothingThatSteersIt) {
    std::istringstream lines(GetParam().draw());
    const bool colour = std::string_view(GetParam().name).ends_with("colour");
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(display_width(line), GetParam().width) << line;
        if (!colour) {
            EXPECT_EQ(terminal_safe(line, std::string_view(GetParam().name).ends_with("ascii")), line);
        }
        EXPECT_FALSE(line.ends_with(' ')) << line;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Screens, testing::ValuesIn(kScreens), [](const auto& info) {
    std::string name = info.param.name;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

TEST(FirstScreen, IsNoTallerThanFortyLines) {
    const std::string drawn = must(render_text(thousands_of_routes(), {}));
    EXPECT_LE(std::count(drawn.begin(), drawn.end(), '\n'), 40);
    const std::string shop = must(render_text(test::shop(), {.recording = "shop.tsr"}));
    EXPECT_LE(std::count(shop.begin(), shop.end(), '\n'), 40);
}

TEST(FirstScreen, ARouteThatIsNotThereIsAnError) {
    const auto none = render_text(test::shop(), {.route = "GET /nowhere"});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().what, "route GET /nowhere: none of the 3 routes of this run");
    EXPECT_FALSE(render_unit(test::shop(), UnitId{99999}, {}));
}

}  // namespace
}  // namespace timesink::report
