#include "request/jobs.hpp"

#include <gmock/gmock.h>

#include "net/connections.hpp"
#include "request/tracker.hpp"

namespace timesink::request {
namespace {

constexpr ProcessId kApi{4};
constexpr ProcessId kWorker{7};
constexpr SocketId kAdds{1};
constexpr SocketId kTakes{2};

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

Exchange call(ProcessId process, SocketId socket, std::uint64_t id, std::int64_t at, proto::Attributes attributes) {
    Exchange exchange;
    exchange.id = ExchangeId{id};
    exchange.protocol = "redis";
    exchange.process = process;
    exchange.socket = socket;
    exchange.remote = {"10.0.0.1", 6379};
    exchange.sent = ms(at);
    exchange.sent_end = ms(at + 1);
    exchange.arrived = exchange.arrived_end = ms(at + 5);
    exchange.read_begin = exchange.read_end = ms(at + 6);
    exchange.read_by = ThreadId{number(process)};
    exchange.attributes = std::move(attributes);
    Jobs::recognise(exchange);
    return exchange;
}
Exchange add(std::int64_t at, const std::string& job, std::uint64_t id = 100) {
    return call(kApi, kAdds, id, at,
                {{"messaging.destination.name", "mail"}, {"messaging.operation.type", "send"}, {"messaging.answered.id", job}});
}
Exchange take(std::int64_t at, const std::string& job, ProcessId worker = kWorker) {
    return call(worker, kTakes, 200, at,
                {{"messaging.destination.name", "mail"},
                 {"messaging.operation.type", "receive"},
                 {"messaging.answered.id", job},
                 {"messaging.answered.name", "welcome"}});
}
Exchange settle(std::int64_t at, const std::string& job, const std::string& how = "", ProcessId worker = kWorker) {
    proto::Attributes said = {
        {"messaging.message.id", job}, {"messaging.destination.name", "mail"}, {"messaging.operation.type", "settle"}};
    if (!how.empty()) {
        said.emplace_back("messaging.settled", how);
    }
    return call(worker, kTakes, 300, at, std::move(said));
}

class JobsTest : public ::testing::Test {
protected:
    Unit* take_one(const Exchange& exchange) {
        std::optional<Unit> before;
        Unit* const taken = jobs_.taken(exchange, before);
        EXPECT_FALSE(before);
        return taken;
    }
    RouteTable routes_;
    Jobs jobs_{routes_};
};

TEST_F(JobsTest, LastsFromTheReplyThatHandsItOutToTheCallThatSettlesIt) {
    EXPECT_EQ(take_one(add(10, "17")), nullptr);
    const Unit* const begun = take_one(take(40, "17"));
    ASSERT_NE(begun, nullptr);
    EXPECT_EQ(begun->kind, UnitKind::job);
    EXPECT_EQ(begun->method + " " + begun->route, "PROCESS /mail/welcome");
    EXPECT_EQ(begun->begin, ms(45));
    EXPECT_EQ(begun->thread, ThreadId{number(kWorker)});
    EXPECT_EQ(begun->added_by, ExchangeId{100});
    EXPECT_EQ(begun->added, ms(10));
    EXPECT_FALSE(jobs_.settled(settle(60, "18")));
    EXPECT_FALSE(jobs_.settled(settle(60, "17", "", kApi)));
    const std::optional<Unit> done = jobs_.settled(settle(90, "17"));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->end, ms(91));
    EXPECT_TRUE(done->complete);
    EXPECT_EQ(done->error, "");
    EXPECT_FALSE(jobs_.settled(settle(95, "17")));
}

/// An idle worker may be faster than whoever added the job.
TEST_F(JobsTest, IsJoinedWithACallThatIsAnsweredLater) {
    ASSERT_NE(take_one(take(12, "17")), nullptr);
    EXPECT_EQ(take_one(add(10, "17")), nullptr);
    const std::optional<Unit> done = jobs_.settled(settle(90, "17", "put back"));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->added, ms(10));
    EXPECT_EQ(done->error, "put back");
    // The next attempt was added by nobody.
    const Unit* const again = take_one(take(100, "17"));
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->added_by, ExchangeId{});
}

/// And may have failed, been put back and been taken again meanwhile.
TEST_F(JobsTest, OfAJobThatIsOverItIsToldLaterWhoAddedIt) {
    Unit* const first = take_one(take(12, "17"));
    ASSERT_NE(first, nullptr);
    first->id = UnitId{1};
    ASSERT_TRUE(jobs_.settled(settle(18, "17", "put back")));
    const Unit* const again = take_one(take(20, "17"));
    ASSERT_NE(again, nullptr);
    EXPECT_TRUE(jobs_.take_added_late().empty());
    EXPECT_EQ(take_one(add(10, "17")), nullptr);
    const std::vector<Jobs::AddedLate> late = jobs_.take_added_late();
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late[0].job, UnitId{1});
    EXPECT_EQ(late[0].by, ExchangeId{100});
    EXPECT_EQ(late[0].at, ms(10));
    EXPECT_EQ(again->added_by, ExchangeId{});
    // One of the same name that is added behind it is another.
    ASSERT_TRUE(jobs_.settled(settle(40, "17")));
    EXPECT_EQ(take_one(add(50, "17", 101)), nullptr);
    EXPECT_TRUE(jobs_.take_added_late().empty());
    const Unit* const next = take_one(take(60, "17"));
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->added_by, ExchangeId{101});
}

TEST_F(JobsTest, SeveralMayBeAddedAtOnce) {
    EXPECT_EQ(take_one(call(kApi, kAdds, 100, 10,
                            {{"messaging.destination.name", "mail"},
                             {"messaging.operation.type", "send"},
                             {"messaging.destination.name", "sms"},
                             {"messaging.answered.id", "17"},
                             {"messaging.destination.name", "mail"},
                             {"messaging.answered.id", "4"}})),
              nullptr);
    const Unit* const other_queue = take_one(take(40, "17"));
    ASSERT_NE(other_queue, nullptr);
    EXPECT_EQ(other_queue->added_by, ExchangeId{});
    const Unit* const joined = take_one(take(50, "4"));
    ASSERT_NE(joined, nullptr);
    EXPECT_EQ(joined->added_by, ExchangeId{100});
    EXPECT_EQ(joined->added, ms(10));
}

TEST_F(JobsTest, TwoAtATimeAreTwoLines) {
    const Unit* const first = take_one(take(10, "1"));
    Exchange second_take = take(20, "2");
    second_take.id = ExchangeId{201};
    const Unit* const second = take_one(second_take);
    ASSERT_TRUE(first != nullptr && second != nullptr);
    EXPECT_NE(first->socket, second->socket);
}

TEST_F(JobsTest, NothingIsTakenWhereNothingWasHandedOut) {
    EXPECT_EQ(take_one(call(kWorker, kTakes, 1, 10, {{"messaging.operation.type", "receive"}})), nullptr);
    Exchange failed = take(10, "17");
    failed.error = "ERR";
    EXPECT_EQ(take_one(failed), nullptr);
}

TEST_F(JobsTest, WhatIsNotSettledIsUnfinished) {
    take_one(take(10, "1"));
    std::optional<Unit> before;
    EXPECT_NE(jobs_.taken(take(50, "1"), before), nullptr);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->exclusion, Exclusion::unfinished);
    EXPECT_FALSE(jobs_.left(kAdds, Exclusion::loss));
    const std::optional<Unit> left = jobs_.left(kTakes, Exclusion::loss);
    ASSERT_TRUE(left);
    EXPECT_EQ(left->exclusion, Exclusion::loss);
    EXPECT_FALSE(jobs_.left());
}

TEST_F(JobsTest, CallsThatMoveJobsAreTheWorkersOwn) {
    EXPECT_TRUE(take(1, "1").moves_jobs && settle(1, "1").moves_jobs);
    EXPECT_TRUE(!add(1, "1").moves_jobs && add(1, "1").adds_job);
}

}  // namespace
}  // namespace timesink::request
