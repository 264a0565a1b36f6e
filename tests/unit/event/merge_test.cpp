#include "event/merge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "records/dump.hpp"
#include "records/record.hpp"

namespace timesink::event {
namespace {

using records::Dump;
using records::Stream;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kMs = 1'000'000;

ts_call call(ts_operation operation, std::uint64_t entered, std::uint64_t exited, std::uint16_t cpu, std::uint32_t tid) {
    ts_call call{};
    call.head.time = exited;
    call.head.cpu = cpu;
    call.head.tid = tid;
    call.entered = entered;
    call.operation = static_cast<__u8>(operation);
    return call;
}
void mark(Stream& stream, std::uint64_t time, std::uint16_t cpu, std::uint64_t socket) {
    stream.retransmit({.head = records::head(time, cpu), .socket = socket});
}

struct Outcome {
    std::vector<std::string> lines;
    Merge::Statistics statistics;
};

/// Pushes the stream in slices that end at the given record numbers.
Outcome run(const Stream& stream, std::span<const std::size_t> cuts = {}, bool with_advance = false) {
    Dump dump;
    dump.with_advance = with_advance;
    Merge merge(dump);
    const std::span<const std::byte> bytes = stream.bytes();
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
        const std::size_t end = stream.offsets()[cut];
        EXPECT_TRUE(merge.push(bytes.subspan(begin, end - begin)));
        begin = end;
    }
    EXPECT_TRUE(merge.push(bytes.subspan(begin)));
    merge.finish();
    return {std::move(dump.lines), merge.statistics()};
}

TEST(Merge, OrdersAcrossCpus) {
    Stream stream;
    mark(stream, 30, 0, 3);
    mark(stream, 40, 0, 4);
    mark(stream, 10, 1, 1);
    mark(stream, 20, 1, 2);
    EXPECT_THAT(run(stream).lines,
                ElementsAre(HasSubstr("socket=1"), HasSubstr("socket=2"), HasSubstr("socket=3"), HasSubstr("socket=4")));
}

TEST(Merge, AWriteStandsAtItsEntrySoThatItComesBeforeItsAnswer) {
    Stream stream;
    stream.call(call(TS_OPERATION_READ, 5, 80, 1, 2));
    stream.call(call(TS_OPERATION_WRITE, 10, 100, 0, 1));
    stream.call(call(TS_OPERATION_CONNECT, 20, 100, 0, 1));
    stream.call(call(TS_OPERATION_ACCEPT, 1, 90, 1, 2));
    EXPECT_THAT(run(stream).lines, ElementsAre(HasSubstr("write"), HasSubstr("connect"), HasSubstr("read"), HasSubstr("accept")));
}

TEST(Merge, AWriteThatBlockedLongerThanTheLatenessStandsAtItsExit) {
    Stream stream;
    stream.call(call(TS_OPERATION_WRITE, 10 * kMs, 30 * kMs, 0, 1));
    mark(stream, 20 * kMs, 1, 1);
    stream.call(call(TS_OPERATION_WRITE, 40 * kMs, 60 * kMs + 1, 0, 1));
    mark(stream, 50 * kMs, 1, 2);
    EXPECT_THAT(run(stream).lines, ElementsAre(HasSubstr("entered=10000000"), HasSubstr("socket=1"), HasSubstr("socket=2"),
                                               HasSubstr("entered=40000000")));
}

TEST(Merge, TiesAreBrokenByCpuThenSequenceThenDelivery) {
    Stream stream;
    mark(stream, 10, 1, 3);
    mark(stream, 10, 0, 1);
    mark(stream, 10, 0, 2);
    stream.fact(10, {{"fact", "a"}});
    stream.fact(10, {{"fact", "b"}});
    EXPECT_THAT(run(stream).lines, ElementsAre(HasSubstr("socket=1"), HasSubstr("socket=2"), HasSubstr("socket=3"),
                                               HasSubstr("\"a\""), HasSubstr("\"b\"")));
}

TEST(Merge, HandsOnUpToTheWatermarkLessTheLateness) {
    Stream stream;
    mark(stream, 9 * kMs, 0, 1);
    mark(stream, 10 * kMs, 0, 2);
    stream.watermark(30 * kMs);
    mark(stream, 31 * kMs, 0, 3);
    EXPECT_THAT(run(stream, {}, true).lines, ElementsAre(HasSubstr("socket=1"), "advance 10000000", HasSubstr("socket=2"),
                                                         HasSubstr("socket=3"), "advance 31000001"));
}

TEST(Merge, ARecordThatComesTooLateIsHandedOnAndCounted) {
    Stream stream;
    mark(stream, 50 * kMs, 0, 1);
    stream.watermark(100 * kMs);
    mark(stream, 90 * kMs, 0, 3);
    mark(stream, 20 * kMs, 1, 2);
    const Outcome result = run(stream);
    EXPECT_THAT(result.lines, ElementsAre(HasSubstr("socket=1"), HasSubstr("socket=2"), HasSubstr("socket=3")));
    EXPECT_EQ(result.statistics.out_of_order, 1u);
}

struct LossCase {
    const char* name;
    void (*write)(Stream&);
    std::vector<std::string> losses;
};

const LossCase kLosses[] = {
    {"a gap with its record is told once",
     [](Stream& stream) {
         mark(stream, 10, 0, 1);
         stream.skip(0, 5);
         stream.loss(records::loss_of(11, 19, 5));
         mark(stream, 20, 0, 1);
     },
     {"loss first=11 last=19 count=5 cpu=0"}},
    {"a gap without a record lies between its neighbours",
     [](Stream& stream) {
         mark(stream, 10, 2, 1);
         stream.skip(2, 3);
         mark(stream, 20, 2, 1);
     },
     {"loss first=10 last=20 count=3 cpu=2"}},
    {"a record that tells less than its gap leaves the rest",
     [](Stream& stream) {
         mark(stream, 10, 0, 1);
         stream.skip(0, 5);
         stream.loss(records::loss_of(11, 19, 4));
     },
     {"loss first=10 last=20 count=1 cpu=0", "loss first=11 last=19 count=4 cpu=0"}},
    {"what a record told too much does not hide a later gap",
     [](Stream& stream) {
         mark(stream, 10, 0, 1);
         stream.skip(0, 1);
         stream.loss(records::loss_of(11, 19, 4));
         stream.watermark(100 * kMs);
         mark(stream, 101 * kMs, 0, 1);
         stream.skip(0, 2);
         mark(stream, 102 * kMs, 0, 1);
     },
     {"loss first=11 last=19 count=4 cpu=0", "loss first=101000000 last=102000000 count=2 cpu=0"}},
    {"the totals at the end tell of a loss that nothing followed",
     [](Stream& stream) {
         mark(stream, 10, 1, 1);
         stream.fact(50, {{"fact", "drops"}, {"cpu", 1}, {"count", 7}});
     },
     {"loss first=10 last=50 count=7 cpu=1"}},
    {"totals that agree with what was told add nothing",
     [](Stream& stream) {
         mark(stream, 10, 0, 1);
         stream.skip(0, 5);
         stream.loss(records::loss_of(11, 19, 5));
         stream.skip(0, 2);
         mark(stream, 30, 0, 1);
         stream.fact(50, {{"fact", "drops"}, {"cpu", 0}, {"count", 7}});
     },
     {"loss first=11 last=19 count=5 cpu=0", "loss first=20 last=30 count=2 cpu=0"}},
    {"totals that were handed on already still count",
     [](Stream& stream) {
         mark(stream, 10, 0, 1);
         stream.fact(50, {{"fact", "drops"}, {"cpu", 0}, {"count", 2}});
         stream.watermark(100 * kMs);
     },
     {"loss first=10 last=100000000 count=2 cpu=0"}},
    {"totals that are no numbers are ignored",
     [](Stream& stream) {
         stream.fact(50, {{"fact", "drops"}, {"cpu", -1}, {"count", "many"}});
         stream.fact(50, {{"fact", "drops"}});
     },
     {}},
    {"the first record of a CPU may have any number",
     [](Stream& stream) {
         stream.skip(0, 1000);
         mark(stream, 10, 0, 1);
     },
     {}},
};

TEST(Merge, EachLossIsToldOnce) {
    for (const LossCase& loss : kLosses) {
        SCOPED_TRACE(loss.name);
        Stream stream;
        loss.write(stream);
        const Outcome result = run(stream);
        std::vector<std::string> told;
        std::copy_if(result.lines.begin(), result.lines.end(), std::back_inserter(told),
                     [](const std::string& line) { return line.starts_with("loss"); });
        EXPECT_EQ(told, loss.losses);
    }
}

ts_retransmit numbered(std::uint32_t sequence, std::uint64_t time) {
    return {
        .head = {.kind = TS_EVENT_RETRANSMIT, .size = 32, .cpu = 0, .reserved = 0, .sequence = sequence, .tid = 0, .time = time},
        .socket = sequence};
}

TEST(Merge, RecordsSlightlyOutOfSequenceAreNoLoss) {
    Stream stream;
    for (const std::uint32_t sequence : {0u, 3u, 2u, 1u, 4u, 6u, 5u, 7u}) {
        const ts_retransmit record = numbered(sequence, 10 + sequence);
        stream.raw(std::as_bytes(std::span(&record, 1)));
    }
    const Outcome result = run(stream);
    EXPECT_EQ(result.statistics.lost, 0u);
    EXPECT_EQ(result.statistics.records, 8u);
}

TEST(Merge, TheSequenceMayWrap) {
    Stream stream;
    for (const std::uint32_t sequence : {0xfffffffeu, 0xffffffffu, 1u}) {
        const ts_retransmit record = numbered(sequence, 10 + (sequence & 7));
        stream.raw(std::as_bytes(std::span(&record, 1)));
    }
    EXPECT_EQ(run(stream).statistics.lost, 1u);  // 0
}

TEST(Merge, BytesThatAreNoRecordEndTheBatchWithAnErrorAndWhatCameBeforeStands) {
    Stream stream;
    mark(stream, 10, 0, 1);
    const records::Buffer whole = stream.bytes();
    for (std::size_t extra = 1; extra < whole.size(); ++extra) {
        records::Buffer bytes = whole;
        bytes.insert(bytes.end(), whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(extra));
        Dump dump;
        Merge merge(dump);
        const Status status = merge.push(bytes);
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().what, "no whole record at byte 32 of a batch of " + std::to_string(32 + extra));
        merge.finish();
        EXPECT_EQ(merge.statistics().records, 1u);
    }
}

TEST(Merge, WhatFollowsDetachedIsOfAnotherAttach) {
    Stream first;
    mark(first, 30 * kMs, 0, 1);
    mark(first, 31 * kMs, 0, 2);
    first.watermark(32 * kMs);
    first.fact(32 * kMs, {{"fact", "drops"}, {"cpu", 0}, {"count", 0}});
    first.fact(33 * kMs, {{"fact", "detached"}});
    Stream second;  // with sequences from 0, and times far behind
    mark(second, 9000 * kMs, 0, 3);
    mark(second, 8999 * kMs, 1, 4);
    records::Buffer bytes = first.bytes();
    bytes.insert(bytes.end(), second.bytes().begin(), second.bytes().end());
    Dump dump;
    dump.with_advance = false;
    Merge merge(dump);
    ASSERT_TRUE(merge.push(bytes));
    merge.finish();
    EXPECT_THAT(dump.lines, ElementsAre(HasSubstr("socket=1"), HasSubstr("socket=2"), HasSubstr("drops"), HasSubstr("detached"),
                                        "another attach", HasSubstr("socket=4"), HasSubstr("socket=3")));
    EXPECT_EQ(merge.statistics().lost, 0u);
    EXPECT_EQ(merge.statistics().out_of_order, 0u);
}

/// Several CPUs, calls that overlap, gaps and late records.
Stream random_stream(unsigned seed) {
    std::mt19937 random(seed);
    Stream stream;
    std::uint64_t drained = 100 * kMs;
    for (int drain = 0; drain < 20; ++drain) {
        const std::uint64_t until = drained + 5 * kMs + random() % (30 * kMs);
        for (std::uint16_t cpu = 0; cpu < 3; ++cpu) {
            std::uint64_t time = drained;
            while ((time += random() % (2 * kMs)) < until) {
                if (random() % 50 == 0) {
                    stream.skip(cpu, random() % 4);
                }
                const std::uint64_t late = random() % 100 == 0 ? 60 * kMs : 0;
                stream.call(call(random() % 2 == 0 ? TS_OPERATION_WRITE : TS_OPERATION_READ, time - random() % (25 * kMs) - late,
                                 time - late, cpu, random() % 5));
            }
        }
        drained = until;
        stream.watermark(until);
    }
    stream.fact(drained, {{"fact", "drops"}, {"cpu", 1}, {"count", 1000}});
    return stream;
}

TEST(Merge, TheSameBytesInAnyBatchingGiveTheSameCalls) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const Stream stream = random_stream(seed);
        const Outcome at_once = run(stream, {}, true);
        std::vector<std::size_t> every(stream.offsets().size());
        for (std::size_t index = 0; index < every.size(); ++index) {
            every[index] = index;
        }
        EXPECT_EQ(run(stream, every, true).lines, at_once.lines) << "record by record, seed " << seed;
        std::mt19937 random(seed);
        std::vector<std::size_t> some;
        std::copy_if(every.begin(), every.end(), std::back_inserter(some), [&](std::size_t) { return random() % 17 == 0; });
        EXPECT_EQ(run(stream, some, true).lines, at_once.lines) << "in uneven slices, seed " << seed;
        EXPECT_GT(at_once.statistics.lost, 0u);
    }
}

}  // namespace
}  // namespace timesink::event
