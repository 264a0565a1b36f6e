#pragma once

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "attribute/loop_walk.hpp"
#include "attribute/walk.hpp"

namespace timesink::attribute {

inline constexpr std::int16_t kNoCall = -1;        ///< user code: a page fault
inline constexpr std::int16_t kBeforeAttach = -2;  ///< of a wait that was under way at the attach the call is not known
inline constexpr ThreadId kMain{11};
inline constexpr ThreadId kHelper{12};
inline constexpr ProcessId kProcess{10};
inline constexpr SocketId kClient{1};
inline constexpr SocketId kDatabase{2};
inline constexpr SocketId kOther{3};

inline constexpr std::int16_t kRecvfrom = 45;
inline constexpr std::int16_t kEpollWait = 232;
inline constexpr std::int16_t kFutex = 202;
inline constexpr std::int16_t kNanosleep = 35;
inline constexpr std::int16_t kPread = 17;
inline constexpr std::int16_t kWrite = 1;

inline Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

/// A story told in microseconds; the unit runs from 0 to `end`.
class Story {
public:
    explicit Story(std::int64_t end) {
        live.unit.id = UnitId{1};
        live.unit.socket = kClient;
        live.unit.process = kProcess;
        live.unit.thread = live.unit.answered_by = kMain;
        live.unit.begin = us(0);
        live.unit.read_begin = live.unit.read_end = us(0);
        live.unit.end = us(end);
    }

    Story& read_at(std::int64_t at) {
        live.unit.read_begin = live.unit.read_end = us(at);
        return *this;
    }

    Story& off(std::int64_t from, std::int64_t woken, std::int64_t on, std::int16_t syscall, ThreadId thread = kMain,
               ThreadId waker = {}, std::int16_t waker_syscall = -1) {
        event::OffCpu span{};
        span.off = us(from);
        span.woken = us(woken);
        span.on = us(on);
        span.thread = thread;
        span.process = kProcess;
        span.waker = waker;
        span.waker_syscall = waker_syscall;
        span.state = from == woken ? TS_OFF_PREEMPTED : syscall == kNoCall ? TS_OFF_UNINTERRUPTIBLE : TS_OFF_INTERRUPTIBLE;
        span.syscall = syscall == kBeforeAttach ? kNoCall : syscall;
        timelines.on(span);
        return *this;
    }

    Story& call(ts_operation operation, SocketId socket, std::int64_t entered, std::int64_t exited, ThreadId thread = kMain,
                std::int64_t result = 1) {
        event::Call call{};
        call.operation = operation;
        call.socket = socket;
        call.entered = us(entered);
        call.exited = us(exited);
        call.thread = thread;
        call.process = kProcess;
        call.result = result;
        timelines.on(call);
        return *this;
    }

    Story& statement(std::int64_t sent, std::int64_t arrived, std::int64_t arrived_end, std::int64_t read,
                     SocketId socket = kDatabase, ThreadId thread = kMain, std::int64_t server_free = 0) {
        OwnedExchange owned;
        owned.exchange.id = ExchangeId{live.exchanges.size() + 1};
        owned.exchange.socket = socket;
        owned.exchange.sent = us(sent);
        owned.exchange.sent_end = us(sent + 4);
        owned.exchange.server_free = us(std::max(server_free, sent));
        owned.exchange.arrived = us(arrived);
        owned.exchange.arrived_end = us(arrived_end);
        owned.exchange.read_end = us(read);
        owned.exchange.sent_by = owned.exchange.read_by = thread;
        owned.exchange.complete = true;
        owned.bucket = Bucket::db;
        live.exchanges.push_back(owned);
        return *this;
    }

    std::map<Cause, std::int64_t> account() {
        Walk(live, timelines, pieces).run();
        return sums();
    }

    /// As on a thread that others share.
    std::map<Cause, std::int64_t> account_on_loop() {
        LoopWalk(live, timelines, pools, pieces).run();
        return sums();
    }

    [[nodiscard]] std::map<Cause, std::int64_t> sums() const {
        std::map<Cause, std::int64_t> sums;
        for (const Piece& piece : pieces) {
            sums[piece.cause] += to_ns(piece.span.length()) / 1000;
        }
        return sums;
    }

    LiveUnit live;
    Timelines timelines;
    ConnectionPools pools;
    std::vector<Piece> pieces;
};

inline void expect_contiguous(const Story& story) {
    ASSERT_FALSE(story.pieces.empty());
    EXPECT_EQ(story.pieces.front().span.begin, story.live.unit.begin);
    EXPECT_EQ(story.pieces.back().span.end, story.live.unit.end);
    for (std::size_t index = 0; index < story.pieces.size(); ++index) {
        EXPECT_LT(story.pieces[index].span.begin, story.pieces[index].span.end);
        if (index > 0) {
            EXPECT_EQ(story.pieces[index].span.begin, story.pieces[index - 1].span.end);
        }
    }
}

using Sums = std::map<Cause, std::int64_t>;

}  // namespace timesink::attribute
