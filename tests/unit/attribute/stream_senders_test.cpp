#include "attribute/stream_senders.hpp"

#include <gtest/gtest.h>

#include <map>

namespace timesink::attribute {
namespace {

constexpr SocketId kConnection{7};

Instant ms(std::int64_t at) {
    return Instant(std::chrono::seconds(1) + std::chrono::milliseconds(at));
}

class StreamSendersTest : public ::testing::Test {
protected:
    static ContextRef task(std::int64_t made) {
        auto context = std::make_shared<Context>();
        context->made = ms(made);
        return context;
    }
    void open(std::uint64_t stream, std::int64_t at, ThreadId thread) {
        request::Exchange exchange;
        exchange.id = ExchangeId{stream};
        exchange.socket = kConnection;
        exchange.protocol = protocol_;
        exchange.sent = ms(at);
        exchange.sent_by = thread;
        senders_.opened(exchange);
    }
    /// A frame of it in a call of `writer`; `begins`: the first of that call.
    void frame(std::uint64_t stream, std::int64_t at, const ContextRef& writer, bool begins = true) {
        request::Carried carried;
        carried.exchange = ExchangeId{stream};
        carried.socket = kConnection;
        carried.at = ms(at);
        carried.begins_call = begins;
        senders_.carried(carried, writer, decisions_);
        for (const auto& decision : decisions_) {
            found_[static_cast<std::uint64_t>(decision.exchange)] = decision.sender;
        }
        decisions_.clear();
    }
    void headers(std::uint64_t stream, std::int64_t at, const ContextRef& writer, bool begins = true,
                 ThreadId thread = ThreadId{1}) {
        open(stream, at, thread);
        frame(stream, at, writer, begins);
    }
    void answer(std::uint64_t stream, std::int64_t at) {
        request::Exchange exchange;
        exchange.id = ExchangeId{stream};
        exchange.socket = kConnection;
        senders_.closed(exchange, ms(at));
    }
    ContextRef sender(std::uint64_t stream) { return found_.contains(stream) ? found_.at(stream) : nullptr; }

    std::string protocol_ = "http";
    StreamSenders senders_;
    std::vector<StreamSenders::Decision> decisions_;
    std::map<std::uint64_t, ContextRef> found_;
};

TEST_F(StreamSendersTest, WhoWritesWhileNothingElseIsOpenHasSentIt) {
    const ContextRef a = task(0);
    headers(1, 10, a);
    EXPECT_EQ(sender(1), a);
}

TEST_F(StreamSendersTest, OfWhatStandsBehindTheWritersOwnTheSenderIsKnownByItsNextFrame) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a);
    headers(3, 10, a, false);
    EXPECT_EQ(sender(1), a);
    EXPECT_EQ(sender(3), nullptr);
    frame(3, 12, b);
    EXPECT_EQ(sender(3), b);
}

TEST_F(StreamSendersTest, WhoWritesWhatIsKnownToBeAnothersHasSentTheOneThatIsNotKnown) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a);
    headers(3, 10, a, false);
    frame(1, 12, b);
    EXPECT_EQ(sender(3), b);
}

TEST_F(StreamSendersTest, TwoThatWriteEachOthersFramesAreNotToldApart) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    const ContextRef c = task(1);
    headers(1, 10, a);
    headers(3, 10, a, false);
    headers(5, 10, a, false);
    frame(3, 12, c);
    frame(5, 13, b);
    frame(3, 14, c);
    frame(5, 15, b);
    EXPECT_EQ(sender(3), nullptr);
    EXPECT_EQ(sender(5), nullptr);
}

TEST_F(StreamSendersTest, AContextThatIsYoungerThanARequestHasNotSentIt) {
    const ContextRef a = task(0);
    headers(1, 10, a);
    headers(3, 10, a, false);
    const ContextRef young = task(20);
    headers(5, 30, young);
    EXPECT_EQ(sender(5), young);
    EXPECT_EQ(sender(3), nullptr);
}

TEST_F(StreamSendersTest, WhoReadsAnAnswerMayWriteAnothersRequest) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a);
    headers(3, 12, a);
    EXPECT_EQ(sender(3), nullptr);
    frame(3, 14, b);
    EXPECT_EQ(sender(3), b);
}

TEST_F(StreamSendersTest, WhoHasHadARequestThereSaysNothingUntilItHasSentSomethingElsewhere) {
    const ContextRef a = task(0);
    headers(1, 10, a);
    answer(1, 20);
    headers(3, 21, a);
    frame(3, 23, a);
    EXPECT_EQ(sender(3), nullptr) << "it may still be reading";
    a->elsewhere = ms(25);
    headers(5, 30, a);
    EXPECT_EQ(sender(5), a);
}

TEST_F(StreamSendersTest, WhatIsAnsweredMayBeStillToBeRead) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a);
    headers(3, 10, a, false);
    answer(3, 100);
    headers(5, 200, b);
    EXPECT_EQ(sender(5), nullptr) << "b may be the sender of 3, and write another's";
}

TEST_F(StreamSendersTest, OfThreadsOnlyWhatIsAloneIsTold) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a, true, ThreadId{1});
    headers(3, 11, b, true, ThreadId{2});
    EXPECT_EQ(sender(3), nullptr);
    EXPECT_TRUE(senders_.mixes_threads(kConnection));
    answer(1, 20);
    answer(3, 21);
    headers(5, 30, b, true, ThreadId{1});
    EXPECT_EQ(sender(5), b);
}

TEST_F(StreamSendersTest, OnceTwoCallersHaveWrittenToRabbitEachHasSentWhatItWrites) {
    protocol_ = "rabbitmq";
    const ContextRef a = task(0);
    const ContextRef b = task(10);
    headers(1, 1, a);
    answer(1, 2);
    headers(2, 3, a);
    EXPECT_EQ(sender(2), nullptr) << "a may be a task that writes for all";
    answer(2, 4);
    for (const std::uint64_t stream : {3U, 4U, 5U}) {
        headers(stream, 10 + static_cast<std::int64_t>(stream), b);
        EXPECT_EQ(sender(stream), b);
    }
    headers(6, 20, a, true, ThreadId{2});
    EXPECT_EQ(sender(6), a);
}

TEST_F(StreamSendersTest, ATaskThatAWriterMadeMayWriteForAll) {
    protocol_ = "rabbitmq";
    const ContextRef maker = task(0);
    const ContextRef writes = task(1);
    writes->parent = maker;
    writes->depth = 1;
    headers(1, 2, maker);
    answer(1, 3);
    headers(2, 4, writes);
    answer(2, 5);
    headers(3, 6, writes);
    EXPECT_EQ(sender(3), nullptr);
}

TEST_F(StreamSendersTest, ContextsOlderThanTheAttachSayNothing) {
    headers(1, 10, std::make_shared<Context>());
    EXPECT_EQ(sender(1), nullptr);
    headers(3, 11, nullptr);
    EXPECT_EQ(sender(3), nullptr);
}

TEST_F(StreamSendersTest, NothingIsDecidedOfWhatHasBeenAnswered) {
    const ContextRef a = task(0);
    const ContextRef b = task(1);
    headers(1, 10, a);
    headers(3, 10, a, false);
    answer(3, 11);
    frame(1, 12, b);
    EXPECT_EQ(sender(3), nullptr);
}

}  // namespace
}  // namespace timesink::attribute
