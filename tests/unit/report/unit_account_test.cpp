#include "report/unit_account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/account_builder.hpp"

namespace timesink::report {
namespace {

using attribute::Bucket;
using attribute::Cause;
using attribute::OwnedExchange;
using test::at;
using test::ms;
using ::testing::ElementsAre;

/// "  name time note": indented by depth, time in ms.
std::vector<std::string> rows(const attribute::Account& account) {
    std::vector<std::string> lines;
    for (const TreeRow& row : unit_account_rows(account, [](std::string_view text) { return std::string(text); })) {
        lines.push_back(std::string(static_cast<std::size_t>(row.depth) * 2, ' ') + row.name + " " +
                        std::to_string(to_ns(row.time) / 1'000'000) + (row.note.empty() ? "" : " " + row.note));
    }
    return lines;
}

void moves(OwnedExchange& owned, std::uint32_t object) {
    owned.bucket = Bucket::transfer;
    owned.object = object;
}

TEST(UnitAccount, HasALineForEachCallAndEachObject) {
    test::AccountBuilder unit(1, at(ms(0)), "POST", "/generate");
    unit.call("api.image.test", "POST", "/v3/images", ms(40));
    unit.call("users.internal", "GET", "/users/{id}", ms(3), {}, [](OwnedExchange& owned) { owned.internal = true; });
    unit.call("cdn.test", "GET", "/{file}", ms(20), {}, [](OwnedExchange& owned) { moves(owned, 1); });
    unit.call("s3.test", "PutObject", "pictures/{file}", ms(10), {}, [](OwnedExchange& owned) {
        moves(owned, 1);
        owned.exchange.storage = std::make_shared<const request::StorageCall>();
    });
    unit.call("s3.test", "PutObject", "pictures/{file}", ms(5), {}, [](OwnedExchange& owned) { moves(owned, 2); });
    unit.call("s3.test", "HeadBucket", "pictures", ms(2), {}, [](OwnedExchange& owned) { moves(owned, 0); });
    unit.statement("SELECT 1", ms(4)).spend(Cause::transfer_response, ms(6)).spend(Cause::cpu, ms(1));
    attribute::Account account = unit.done();
    account.objects = {{.kind = "image", .bytes = 529'000, .fetched = true, .stored = true, .exchanges = 2, .on_path = ms(30)},
                       {.kind = "image", .bytes = 1'000, .stored = true, .exchanges = 1, .on_path = ms(5)}};
    // The builder charges all calls to the provider's causes.
    account.by_cause = {};
    account.by_cause[static_cast<std::size_t>(Cause::provider_first_byte)] = ms(43);
    account.by_cause[static_cast<std::size_t>(Cause::transfer_storage)] = ms(37);
    account.by_cause[static_cast<std::size_t>(Cause::transfer_response)] = ms(6);
    account.by_cause[static_cast<std::size_t>(Cause::db_server)] = ms(4);
    account.by_cause[static_cast<std::size_t>(Cause::cpu)] = ms(1);
    EXPECT_THAT(
        rows(account),
        ElementsAre("provider 43",  //
                    "  call 1 40 POST api.image.test /v3/images · first byte 40.0 ms",
                    "  internal 3 GET users.internal /users/{id} · first byte 3.00 ms",  //
                    "transfer 43", "  image 0 (529 KB) 30 GET cdn.test /{file} 20.0 ms → PutObject pictures/{file} 10.0 ms",
                    "  image 1 (1.00 KB) 5 PutObject s3.test pictures/{file} 5.00 ms",
                    "  call 1 2 HeadBucket s3.test pictures · first byte 2.00 ms",
                    "  response 6 the client reads 900 B slowly",  //
                    "database 4 1 statement, 1 shape",             //
                    "overhead 1 cpu 1.00 ms"));
}

TEST(UnitAccount, ManyCallsAreCutOffAndTheirTimeIsKept) {
    test::AccountBuilder unit(1, at(ms(0)), "GET", "/many");
    for (int i = 0; i < 30; ++i) {
        unit.call("api.test", "GET", "/{id}", ms(1));
    }
    const std::vector<std::string> lines = rows(unit.done());
    ASSERT_EQ(lines.size(), 4U + 24U + 1U);
    EXPECT_EQ(lines[25], "  and 6 more lines 6 in order of time below");
}

}  // namespace
}  // namespace timesink::report
