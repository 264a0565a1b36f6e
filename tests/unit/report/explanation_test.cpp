#include "report/explanation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace timesink::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

attribute::OwnedExchange statement(std::uint64_t id, attribute::Evidence evidence, UnitId likely) {
    attribute::OwnedExchange owned;
    owned.exchange.id = ExchangeId{id};
    owned.exchange.statement = "SELECT \x1b[31m" + std::to_string(id);
    owned.exchange.sent = Instant(std::chrono::milliseconds(3));
    owned.evidence = evidence;
    owned.margin = 0.97;
    owned.grounds = {likely, UnitId{8}, 0.02, infer::Reason::waited, ExchangeId{41}};
    return owned;
}

attribute::Account account(std::uint64_t id) {
    attribute::Account account;
    account.unit.id = UnitId{id};
    account.unit.method = "GET";
    account.unit.path = "/orders/7";
    account.unit.begin = Instant(std::chrono::milliseconds(1));
    account.unit.end = Instant(std::chrono::milliseconds(11));
    account.exchanges.push_back(statement(42, attribute::Evidence::inferred, UnitId{id}));
    return account;
}

TEST(Explanation, SaysWhyAnExchangeBelongsToTheUnit) {
    Explanation explanation(UnitId{7});
    explanation.account(account(6));
    EXPECT_FALSE(explanation.found());
    explanation.account(account(7));
    ASSERT_TRUE(explanation.found());
    const std::string text = explanation.text();
    EXPECT_THAT(text, HasSubstr("unit 7  GET /orders/7  10.000 ms\n"));
    EXPECT_THAT(text, HasSubstr("2.000 ms  exchange 42"));
    EXPECT_THAT(
        text,
        HasSubstr(
            "inferred, margin 97.00 %: the request had waited longest for a connection of this pool; the reply to exchange 41"));
    EXPECT_THAT(text, HasSubstr("next likeliest: unit 8, 2.00 %"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b"))) << "what came off the wire must not reach the terminal as it is";
    EXPECT_THAT(text, Not(HasSubstr("May be its")));
}

TEST(Explanation, CallsAJobAJob) {
    attribute::Account job = account(7);
    job.unit.kind = request::UnitKind::job;
    job.unit.server.address = "queue mail";
    job.exchanges.push_back(statement(43, attribute::Evidence::thread, UnitId{}));
    Explanation explanation(UnitId{7});
    explanation.account(job);
    EXPECT_THAT(explanation.text(), HasSubstr("\n  A job of queue mail.\n"));
    EXPECT_THAT(explanation.text(), HasSubstr(": the job had waited longest for a connection of this pool"));
    EXPECT_THAT(explanation.text(), HasSubstr(": the sending thread served this job alone"));
    job.unit.request = UnitId{4};
    job.unit.added = job.unit.begin - std::chrono::microseconds(750);
    explanation.account(job);
    EXPECT_THAT(explanation.text(), HasSubstr("\n  A job of queue mail, added by unit 4; it waited there for 0.750 ms.\n"));
}

TEST(Explanation, TellsWhatMayBeItsAsWell) {
    Explanation explanation(UnitId{7});
    explanation.stray(statement(50, attribute::Evidence::ambiguous, UnitId{7}));
    explanation.stray(statement(51, attribute::Evidence::ambiguous, UnitId{6}));
    explanation.account(account(7));
    EXPECT_THAT(explanation.text(), HasSubstr("May be its"));
    EXPECT_THAT(explanation.text(), HasSubstr("exchange 50"));
    EXPECT_THAT(explanation.text(), Not(HasSubstr("exchange 51")));
}

TEST(Explanation, EvidenceThatNeedsNoWeighingHasNoMargin) {
    Explanation explanation(UnitId{7});
    attribute::Account certain = account(7);
    certain.exchanges.front().evidence = attribute::Evidence::thread;
    certain.exchanges.front().grounds = {};
    explanation.account(certain);
    EXPECT_THAT(explanation.text(), HasSubstr("thread: the sending thread served this request alone"));
    EXPECT_THAT(explanation.text(), Not(HasSubstr("margin")));
}

}  // namespace
}  // namespace timesink::report
