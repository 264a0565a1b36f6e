#include "attribute/run_queue.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

infer::Segment reads(std::uint64_t connection) {
    infer::Segment segment;
    segment.stimuli.push_back({.exchange = ExchangeId{connection}, .connection = SocketId{connection}});
    return segment;
}

infer::Act writes(std::uint64_t connection) {
    return {.kind = infer::Act::Kind::statement, .exchange = ExchangeId{connection + 100}, .connection = SocketId{connection}};
}

TEST(RunQueueTest, WhatIsReadFirstAndDoneLaterTellsOfAQueue) {
    infer::Segment last = reads(2);
    last.acts = {writes(1), writes(2)};
    RunQueue queue;
    for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(queue.is_known());
        queue.learn({reads(1), last});
    }
    EXPECT_TRUE(queue.is_known());
}

TEST(RunQueueTest, CallbacksThatWriteAtOnceDoNot) {
    infer::Segment first = reads(1);
    first.acts = {writes(1)};
    infer::Segment second = reads(2);
    second.acts = {writes(2)};
    infer::Segment late = second;
    late.acts.push_back(writes(1));  // a timer's, on a connection that was idle by then
    RunQueue queue;
    for (int i = 0; i < 100; ++i) {
        queue.learn({first, second});
        queue.learn(i % 10 == 0 ? std::vector{reads(1), late} : std::vector{first, second});
    }
    EXPECT_FALSE(queue.is_known());
}

TEST(RunQueueTest, OneReplyAtATimeTellsNothing) {
    infer::Segment only = reads(1);
    only.acts = {writes(1)};
    RunQueue queue;
    for (int i = 0; i < 1000; ++i) {
        queue.learn({only});
    }
    infer::Segment last = reads(2);
    last.acts = {writes(1), writes(2)};
    for (int i = 0; i < 4; ++i) {
        queue.learn({reads(1), last});
    }
    EXPECT_TRUE(queue.is_known()) << "a long run under one client does not outweigh what is seen under several";
}

}  // namespace
}  // namespace timesink::attribute
