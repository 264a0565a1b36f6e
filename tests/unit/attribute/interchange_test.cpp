#include "attribute/interchange.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};

class InterchangeTest : public ::testing::Test {
protected:
    static request::Unit unit(std::uint32_t read_by, std::uint32_t answered_by) {
        request::Unit made;
        made.process = kProcess;
        made.thread = ThreadId{read_by};
        made.answered_by = ThreadId{answered_by};
        made.complete = true;
        return made;
    }
    bool serve(std::uint32_t read_by, std::uint32_t answered_by) {
        threads_.began(unit(read_by, answered_by));
        return threads_.ended(unit(read_by, answered_by));
    }
    bool reply(std::uint32_t sent_by, std::uint32_t read_by, bool shared = false) {
        request::Exchange exchange;
        exchange.process = kProcess;
        exchange.sent_by = ThreadId{sent_by};
        exchange.read_by = ThreadId{read_by};
        exchange.complete = true;
        exchange.shared = shared;
        return threads_.answered(exchange);
    }

    /// Thread 1 sends at `at`, after a wait for events that `waker` ended at 10 and, if so, a read at 12.
    bool send(std::int64_t at, std::uint32_t waker, bool reads, bool elsewhere = true) {
        request::Exchange exchange;
        exchange.process = kProcess;
        exchange.sent_by = ThreadId{1};
        exchange.sent = us(at);
        timelines_ = {};
        event::OffCpu wait{};
        wait.thread = ThreadId{1};
        wait.process = kProcess;
        wait.off = us(1);
        wait.woken = us(10);
        wait.on = us(11);
        wait.waker = ThreadId{waker};
        wait.waker_syscall = 1;
        wait.syscall = 232;
        wait.state = TS_OFF_INTERRUPTIBLE;
        timelines_.on(wait);
        event::Call call{};
        call.thread = ThreadId{2};
        call.process = kProcess;
        call.operation = TS_OPERATION_WRITE;
        timelines_.on(call);
        call.thread = ThreadId{1};
        call.operation = reads ? TS_OPERATION_READ : TS_OPERATION_WRITE;
        call.result = 5;
        call.entered = us(12);
        call.exited = us(13);
        timelines_.on(call);
        return threads_.sent(exchange, threads_.posted(exchange, elsewhere, timelines_));
    }
    static Instant us(std::int64_t at) { return Instant(std::chrono::microseconds(at)); }

    Interchange threads_;
    Timelines timelines_;
};

TEST_F(InterchangeTest, LoopsThatSendWhatOthersPostAreTold) {
    serve(1, 1);
    EXPECT_FALSE(send(20, 2, false)) << "once may be chance";
    EXPECT_TRUE(send(20, 2, false));
    EXPECT_FALSE(send(20, 2, false)) << "it is known";
}

TEST_F(InterchangeTest, WhatWasReadOrComesFromElsewhereIsNotPosted) {
    serve(1, 1);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(send(20, 2, true)) << "it sends for what it has read";
        EXPECT_FALSE(send(20, 3, false)) << "woken by a thread of nobody";
        EXPECT_FALSE(send(20, 2, false, false)) << "for whom else?";
    }
}

TEST_F(InterchangeTest, ALoopThatIsNowAndThenHelpedSendsItsOwn) {
    serve(1, 1);
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(send(20, 2, true));
    }
    EXPECT_FALSE(send(20, 2, false));
    EXPECT_FALSE(send(20, 2, false));
}

TEST_F(InterchangeTest, WorkersThatReadEachOthersRepliesAreToldOnce) {
    serve(1, 1);
    serve(2, 2);
    EXPECT_FALSE(reply(1, 2)) << "once may be chance";
    EXPECT_TRUE(reply(2, 1));
    EXPECT_FALSE(reply(1, 2)) << "it is known";
}

TEST_F(InterchangeTest, WorkersThatAnswerEachOthersRequestsAreTold) {
    serve(1, 1);
    serve(2, 2);
    EXPECT_FALSE(serve(1, 2));
    EXPECT_TRUE(serve(2, 1));
}

TEST_F(InterchangeTest, AReactorThatOnlyGivesIsNoWorker) {
    serve(1, 1);
    serve(2, 2);
    serve(3, 3);
    for (int i = 0; i < 20; ++i) {
        EXPECT_FALSE(serve(1, 2)) << "read by the one that waits for all connections";
        EXPECT_FALSE(serve(1, 3));
    }
    EXPECT_TRUE(serve(3, 2)) << "which gives, too";
}

TEST_F(InterchangeTest, AThreadThatReadsNoRequestsIsNoWorker) {
    serve(1, 1);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(reply(1, 9)) << "it reads the replies of all";
        EXPECT_FALSE(serve(1, 8)) << "it writes all responses";
    }
}

TEST_F(InterchangeTest, AnExceptionAmongManyTellsNothing) {
    serve(1, 1);
    serve(2, 2);
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(reply(1, 1));
    }
    EXPECT_FALSE(reply(1, 2));
    EXPECT_FALSE(reply(1, 2));
    EXPECT_FALSE(reply(1, 2));
}

TEST_F(InterchangeTest, ConnectionsThatSeveralUseAtOnceTellNothing) {
    serve(1, 1);
    serve(2, 2);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(reply(1, 2, true));
    }
}

TEST_F(InterchangeTest, AThreadsNumberMayBeAnothers) {
    serve(1, 1);
    serve(2, 2);
    threads_.exited(ThreadId{2}, kProcess);
    EXPECT_FALSE(reply(1, 2));
    EXPECT_FALSE(reply(1, 2));
    EXPECT_FALSE(reply(1, 2));
}

}  // namespace
}  // namespace timesink::attribute
