#include "event/record.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "event/merge.hpp"
#include "records/dump.hpp"
#include "records/record.hpp"

namespace timesink::event {
namespace {

using records::Dump;
using records::Stream;

ts_call sound_call() {
    ts_call call{};
    call.head.time = 2000;
    call.head.tid = 7;
    call.entered = 1000;
    call.operation = TS_OPERATION_READ;
    call.result = 10;
    call.pid = 5;
    call.fd = 3;
    return call;
}

ts_socket sound_socket() {
    ts_socket socket{};
    socket.head.time = 1000;
    socket.origin = TS_SOCKET_ACCEPT;
    socket.family = AF_INET;
    socket.is_server = 1;
    return socket;
}

ts_off_cpu wait(std::uint64_t off, std::uint64_t woken, std::uint64_t on, std::uint8_t state) {
    ts_off_cpu wait{};
    wait.head.time = on;
    wait.off = off;
    wait.woken = woken;
    wait.state = state;
    return wait;
}

ts_task task(std::uint8_t operation) {
    ts_task task{};
    task.head = records::head(4, 0, 9);
    task.pid = 9;
    task.parent_pid = 8;
    task.parent_tid = 8;
    task.operation = operation;
    return task;
}

/// One event of the stream, as the consumer sees it; "" when it is skipped.
std::string decoded(const Stream& stream, Merge::Statistics* statistics = nullptr) {
    Dump dump;
    dump.with_advance = false;
    Merge merge(dump);
    EXPECT_TRUE(merge.push(stream.bytes()));
    merge.finish();
    if (statistics != nullptr) {
        *statistics = merge.statistics();
    }
    return dump.lines.empty() ? "" : dump.lines.front();
}

struct Malformed {
    const char* name;
    std::function<void(Stream&)> write;
};

const Malformed kMalformed[] = {
    {"a call that ends before it began",
     [](Stream& stream) {
         auto call = sound_call();
         call.entered = 2001;
         stream.call(call);
     }},
    {"a call of an operation that does not exist",
     [](Stream& stream) {
         auto call = sound_call();
         call.operation = 7;
         stream.call(call);
     }},
    {"a call of operation zero",
     [](Stream& stream) {
         auto call = sound_call();
         call.operation = 0;
         stream.call(call);
     }},
    {"a time that leaves no room for later ones, of a kind that is not known",
     [](Stream& stream) {
         const ts_event_head newer{.kind = 40,
                                   .size = 24,
                                   .cpu = 0,
                                   .reserved = 0,
                                   .sequence = 1,
                                   .tid = 0,
                                   .time = std::numeric_limits<std::int64_t>::max()};
         stream.raw(std::as_bytes(std::span(&newer, 1)));
     }},
    {"a call with more payload than it moved", [](Stream& stream) { stream.call(sound_call(), "hello", "worlds"); }},
    {"a failed call with payload",
     [](Stream& stream) {
         auto call = sound_call();
         call.result = -11;
         stream.call(call, "x");
     }},
    {"a call that announces a context it has no room for",
     [](Stream& stream) {
         auto call = sound_call();
         call.flags = TS_CALL_CONTEXT;
         stream.call(call);
     }},
    {"a context that is made of itself",
     [](Stream& stream) {
         ts_lineage lineage{};
         lineage.head = records::head(4, 0, 9);
         lineage.child = lineage.parent = 10;
         stream.lineage(lineage);
     }},
    {"a phase of an event loop that there is not",
     [](Stream& stream) {
         ts_loop_phase phase{};
         phase.head = records::head(4, 0, 9);
         phase.phase = TS_LOOP_IMMEDIATE + 1;
         stream.loop_phase(phase);
     }},
    {"a close with payload",
     [](Stream& stream) {
         auto call = sound_call();
         call.operation = TS_OPERATION_CLOSE;
         stream.call(call, "x");
     }},
    {"a call whose error is no errno",
     [](Stream& stream) {
         auto call = sound_call();
         call.result = -4096;
         stream.call(call);
     }},
    {"a call that moves more than any call can",
     [](Stream& stream) {
         auto call = sound_call();
         call.result = std::int64_t{1} << 62;
         stream.call(call);
     }},
    {"a call whose position would overflow",
     [](Stream& stream) {
         auto call = sound_call();
         call.stream_begin = ~0ull - 3;
         stream.call(call);
     }},
    {"a count of a class that does not exist",
     [](Stream& stream) {
         const ts_call_count count{
             .call_class = TS_CLASS_COUNT, .reserved = 0, .errors = 0, .calls = 1, .nanoseconds = 1, .bytes = 0};
         stream.call(sound_call(), {}, {}, std::span(&count, 1));
     }},
    {"a time beyond what fits",
     [](Stream& stream) {
         auto call = sound_call();
         call.head.time = ~0ull;
         stream.call(call);
     }},
    {"a wait that was woken before it began", [](Stream& stream) { stream.off_cpu(wait(20, 10, 30, 0)); }},
    {"a wait that was woken after it ended", [](Stream& stream) { stream.off_cpu(wait(20, 31, 30, 0)); }},
    {"a wait in an unknown state", [](Stream& stream) { stream.off_cpu(wait(20, 25, 30, 4)); }},
    {"a socket of unknown origin",
     [](Stream& stream) {
         auto socket = sound_socket();
         socket.origin = 0;
         stream.socket(socket);
     }},
    {"a socket that is neither end",
     [](Stream& stream) {
         auto socket = sound_socket();
         socket.is_server = 3;
         stream.socket(socket);
     }},
    {"a task that does nothing known", [](Stream& stream) { stream.task(task(4)); }},
    {"a loss that ends before it began", [](Stream& stream) { stream.loss(records::loss_of(5, 4, 1)); }},
    {"a fact that is not JSON", [](Stream& stream) { stream.fact_text(1, "{\"fact\":"); }},
    {"a fact that is not an object", [](Stream& stream) { stream.fact_text(1, "[1]"); }},
    {"a fact without a name", [](Stream& stream) { stream.fact_text(1, "{\"cpu\":1}"); }},
    {"a fact that is not UTF-8", [](Stream& stream) { stream.fact_text(1, "{\"fact\":\"\xff\"}"); }},
    {"a fact nested as deeply as a record allows", [](Stream& stream) { stream.fact_text(1, std::string(60000, '[')); }},
};

TEST(Record, WhatTheAbiRulesOutIsSkippedAndCounted) {
    for (const Malformed& malformed : kMalformed) {
        SCOPED_TRACE(malformed.name);
        Stream stream;
        malformed.write(stream);
        Merge::Statistics statistics;
        EXPECT_EQ(decoded(stream, &statistics), "");
        EXPECT_EQ(statistics.malformed, 1u);
        EXPECT_EQ(statistics.records, 0u);
    }
}

TEST(Record, PayloadLongerThanTheRecordIsMalformed) {
    Stream stream;
    stream.call(sound_call(), "hello");
    records::Buffer bytes = stream.take();
    auto* call = reinterpret_cast<ts_call*>(bytes.data());
    call->head_bytes = 10;  // the record has room for 8
    call->result = 100;
    Dump dump;
    Merge merge(dump);
    ASSERT_TRUE(merge.push(bytes));
    merge.finish();
    EXPECT_EQ(merge.statistics().malformed, 1u);
}

TEST(Record, EveryFieldOfACallComesThrough) {
    Stream stream;
    auto call = sound_call();
    call.socket = 99;
    call.stream_begin = 4096;
    call.thread_sequence = 12;
    call.flags = TS_CALL_MULTI_MESSAGE;
    call.minor_faults = 3;
    call.major_faults = 1;
    const ts_call_count counts[] = {
        {.call_class = TS_CLASS_POLL, .reserved = 0, .errors = 1, .calls = 2, .nanoseconds = 500, .bytes = 0},
        {.call_class = TS_CLASS_FUTEX, .reserved = 0, .errors = 0, .calls = 9, .nanoseconds = 4, .bytes = 0}};
    stream.call(call, "GET\r\n", "\x01z\"", counts);
    EXPECT_EQ(decoded(stream),
              "read entered=1000 exited=2000 thread=7 pid=5 seq=12 socket=99 fd=3 result=10 at=4096 flags=8 faults=3+1 "
              "class7=2/1/500/0 "
              "class8=9/0/4/0 \"GET\\x0d\\x0a\"..\"\\x01z\\\"\"");
}

TEST(Record, AnUnknownKindIsSkippedAndKeepsItsPlaceInTheSequence) {
    Stream stream;
    stream.retransmit({.head = records::head(1), .socket = 1});
    ts_event_head newer{.kind = 40, .size = 24, .cpu = 0, .reserved = 0, .sequence = 1, .tid = 0, .time = 2};
    stream.raw(std::as_bytes(std::span(&newer, 1)));
    stream.skip(0);
    stream.retransmit({.head = records::head(3), .socket = 1});
    Merge::Statistics statistics;
    decoded(stream, &statistics);
    EXPECT_EQ(statistics.records, 2u);
    EXPECT_EQ(statistics.unknown_kinds, 1u);
    EXPECT_EQ(statistics.lost, 0u);
}

struct Printed {
    const char* name;
    std::function<void(ts_socket&)> set;
    const char* expected;
};

const Printed kPrinted[] = {
    {"IPv4",
     [](ts_socket& socket) {
         std::memcpy(socket.remote_address, "\x0a\x00\x00\x02", 4);
         socket.remote_port = 5432;
     },
     "local=0.0.0.0:0 remote=10.0.0.2:5432"},
    {"IPv6",
     [](ts_socket& socket) {
         socket.family = AF_INET6;
         socket.local_address[15] = 1;
         socket.local_port = 80;
     },
     "local=::1:80 remote=:::0"},
    {"a client of a dual-stack server is spelled as at its own end",
     [](ts_socket& socket) {
         socket.family = AF_INET6;
         std::memcpy(socket.remote_address + 10, "\xff\xff\x7f\x00\x00\x01", 6);
         socket.remote_port = 4001;
     },
     "remote=127.0.0.1:4001"},
    {"a unix path belongs to the server's end",
     [](ts_socket& socket) {
         socket.family = AF_UNIX;
         std::strcpy(socket.unix_path, "/run/pg.sock");
     },
     "local=/run/pg.sock:0 remote=:0"},
    {"for the connecting end it is the remote one",
     [](ts_socket& socket) {
         socket.family = AF_UNIX;
         socket.is_server = 0;
         std::strcpy(socket.unix_path, "/run/pg.sock");
     },
     "local=:0 remote=/run/pg.sock:0"},
    {"an abstract name begins with @",
     [](ts_socket& socket) {
         socket.family = AF_UNIX;
         std::memcpy(socket.unix_path, "\0bus", 4);
     },
     "local=@bus:0"},
    {"a path may fill the field and hold any byte",
     [](ts_socket& socket) {
         socket.family = AF_UNIX;
         std::memset(socket.unix_path, 'p', sizeof(socket.unix_path));
         socket.unix_path[107] = '\n';
     },
     "ppp\\x0a:0 remote=:0"},
};

TEST(Record, AddressesArePrintedOnceAndForAll) {
    for (const Printed& printed : kPrinted) {
        SCOPED_TRACE(printed.name);
        auto socket = sound_socket();
        printed.set(socket);
        Stream stream;
        stream.socket(socket);
        const std::string line = decoded(stream);
        EXPECT_NE(line.find(printed.expected), std::string::npos) << line;
    }
}

TEST(Record, AContextStandsBehindThePayloadAndItsPadding) {
    Stream stream;
    stream.call(sound_call(), "hello", "w", {}, 0x7f0012345678);
    const std::string line = decoded(stream);
    EXPECT_NE(line.find("\"hello\"..\"w\""), std::string::npos) << line;
    EXPECT_NE(line.find(" context=139638282147448"), std::string::npos) << line;
}

TEST(Record, LineageTellsWhoWasCopied) {
    Stream stream;
    ts_lineage lineage{};
    lineage.head = records::head(4, 0, 9);
    lineage.child = 11;
    lineage.parent = 10;
    lineage.pid = 8;
    stream.lineage(lineage);
    EXPECT_EQ(decoded(stream), "lineage at=4 thread=9 pid=8 child=11 parent=10");
}

TEST(Record, APhaseOfAnEventLoopTellsWhoseAndHowOftenItPolled) {
    Stream stream;
    ts_loop_phase phase{};
    phase.head = records::head(4, 0, 9);
    phase.pid = 8;
    phase.phase = TS_LOOP_TIMERS;
    phase.polls = 2;
    stream.loop_phase(phase);
    EXPECT_EQ(decoded(stream), "loop at=4 thread=9 pid=8 phase=1 polls=2");
}

ts_plaintext plaintext(std::uint64_t length) {
    ts_plaintext plain{};
    plain.head = records::head(4, 0, 9);
    plain.pid = 8;
    plain.operation = TS_OPERATION_WRITE;
    plain.connection = 77;
    plain.length = length;
    return plain;
}

TEST(Record, PlaintextHasTheBeginAndTheEndOfWhatWasMoved) {
    Stream stream;
    stream.plaintext(plaintext(1000), "hello", "end");
    EXPECT_EQ(decoded(stream), "plaintext at=4 thread=9 pid=8 write length=1000 connection=77 head=5 tail=3");
}

TEST(Record, PlaintextThatContradictsItselfIsMalformed) {
    const auto validity = [](ts_plaintext plain, std::string_view head) {
        Stream stream;
        stream.plaintext(plain, head);
        const auto bytes = stream.take();
        return check(bytes);
    };
    EXPECT_EQ(validity(plaintext(5), "hello"), Validity::valid);
    EXPECT_EQ(validity(plaintext(4), "hello"), Validity::malformed);
    EXPECT_EQ(validity(plaintext(0), ""), Validity::malformed);
    EXPECT_EQ(validity(plaintext(std::uint64_t{1} << 31), ""), Validity::malformed);
    ts_plaintext closes = plaintext(5);
    closes.operation = TS_OPERATION_CLOSE;
    EXPECT_EQ(validity(closes, ""), Validity::malformed);
    Stream stream;
    stream.plaintext(plaintext(5), "hello");
    auto bytes = stream.take();
    const std::uint16_t more = 500;
    std::memcpy(bytes.data() + offsetof(ts_plaintext, tail_bytes), &more, sizeof(more));
    EXPECT_EQ(check(bytes), Validity::malformed);
}

ts_payload payload(ts_operation operation) {
    ts_payload piece{};
    piece.head = records::head(9, 0, 8);
    piece.entered = 4;
    piece.socket = 3;
    piece.position = 100;
    piece.operation = static_cast<__u8>(operation);
    return piece;
}

TEST(Record, PayloadStandsWhereItsCallDoes) {
    Stream stream;
    stream.payload(payload(TS_OPERATION_WRITE), "more");
    EXPECT_EQ(decoded(stream), "payload socket=3 write position=100 \"more\"");
    Stream clear;
    ts_payload of_library = payload(TS_OPERATION_WRITE);
    of_library.flags = TS_PAYLOAD_CLEAR;
    clear.payload(of_library, "more");
    EXPECT_EQ(decoded(clear), "payload library=3 write position=100 \"more\"");
    const auto key = [](ts_operation operation) {
        Stream one;
        one.payload(payload(operation), "more");
        return to_ns(order_key(one.take(), Duration(100)));
    };
    EXPECT_EQ(key(TS_OPERATION_WRITE), 4);
    EXPECT_EQ(key(TS_OPERATION_READ), 9);
}

TEST(Record, PayloadThatContradictsItselfIsMalformed) {
    const auto validity = [](ts_payload piece, std::string_view bytes) {
        Stream stream;
        stream.payload(piece, bytes);
        return check(stream.take());
    };
    EXPECT_EQ(validity(payload(TS_OPERATION_READ), "more"), Validity::valid);
    EXPECT_EQ(validity(payload(TS_OPERATION_READ), ""), Validity::malformed);
    EXPECT_EQ(validity(payload(TS_OPERATION_CLOSE), "more"), Validity::malformed);
    ts_payload late = payload(TS_OPERATION_READ);
    late.entered = 10;
    EXPECT_EQ(validity(late, "more"), Validity::malformed);
    ts_payload far = payload(TS_OPERATION_READ);
    far.position = std::uint64_t{1} << 63;
    EXPECT_EQ(validity(far, "more"), Validity::malformed);
    Stream stream;
    stream.payload(payload(TS_OPERATION_READ), "more");
    auto bytes = stream.take();
    const std::uint16_t more = 500;
    std::memcpy(bytes.data() + offsetof(ts_payload, bytes), &more, sizeof(more));
    EXPECT_EQ(check(bytes), Validity::malformed);
}

ts_engine_name engine_name(ts_engine_subject subject) {
    ts_engine_name name{};
    name.head = records::head(9, 0, 8);
    name.entered = 4;
    name.number = 3;
    name.database = 2;
    name.pid = 7;
    name.subject = static_cast<__u8>(subject);
    return name;
}

ts_engine_call engine_end() {
    ts_engine_call call{};
    call.head = records::head(9, 0, 8);
    call.execution = 5;
    call.first = 6;
    call.last = 8;
    call.inside = 3;
    call.rows = 2;
    call.result = 101;
    call.pid = 7;
    call.stage = TS_ENGINE_END;
    return call;
}

TEST(Record, WhatAnEngineInTheProcessExecutesHasANameABeginAndAnEnd) {
    Stream names;
    names.engine_name(engine_name(TS_ENGINE_STATEMENT), "SELECT 1");
    EXPECT_EQ(decoded(names), "statement entered=4 at=9 thread=8 pid=7 number=3 database=2 \"SELECT 1\"");
    Stream begins;
    ts_engine_call begin = engine_end();
    begin.stage = TS_ENGINE_BEGIN;
    begin.statement = 3;
    begins.engine_call(begin);
    EXPECT_EQ(decoded(begins), "execution 5 begins at=9 thread=8 pid=7 statement=3");
    Stream ends;
    ends.engine_call(engine_end());
    EXPECT_EQ(decoded(ends), "execution 5 ends at=9 thread=8 pid=7 first=6 last=8 inside=3 rows=2 result=101");
}

TEST(Record, AnEnginesRecordThatContradictsItselfIsMalformed) {
    const auto name_with = [](auto change) {
        ts_engine_name name = engine_name(TS_ENGINE_DATABASE);
        change(name);
        Stream stream;
        stream.engine_name(name, "a.db");
        return check(stream.take());
    };
    EXPECT_EQ(name_with([](ts_engine_name&) {}), Validity::valid);
    EXPECT_EQ(name_with([](ts_engine_name& name) { name.number = 0; }), Validity::malformed);
    EXPECT_EQ(name_with([](ts_engine_name& name) { name.entered = 10; }), Validity::malformed);
    EXPECT_EQ(name_with([](ts_engine_name& name) { name.subject = 3; }), Validity::malformed);
    const auto call_with = [](auto change) {
        ts_engine_call call = engine_end();
        change(call);
        Stream stream;
        stream.engine_call(call);
        return check(stream.take());
    };
    EXPECT_EQ(call_with([](ts_engine_call&) {}), Validity::valid);
    EXPECT_EQ(call_with([](ts_engine_call& call) { call.execution = 0; }), Validity::malformed);
    EXPECT_EQ(call_with([](ts_engine_call& call) { call.first = 9; }), Validity::malformed);
    EXPECT_EQ(call_with([](ts_engine_call& call) { call.last = 10; }), Validity::malformed);
    EXPECT_EQ(call_with([](ts_engine_call& call) { call.inside = ~0ULL; }), Validity::malformed);
    EXPECT_EQ(call_with([](ts_engine_call& call) { call.stage = 3; }), Validity::malformed);
    Stream stream;
    stream.engine_name(engine_name(TS_ENGINE_DATABASE), "a.db");
    auto bytes = stream.take();
    const std::uint16_t more = 500;
    std::memcpy(bytes.data() + offsetof(ts_engine_name, text_bytes), &more, sizeof(more));
    EXPECT_EQ(check(bytes), Validity::malformed);
}

TEST(Record, ACommThatFillsItsFieldIsNotRunOver) {
    Stream stream;
    ts_task full = task(TS_TASK_FORK);
    std::memset(full.comm, 'c', sizeof(full.comm));
    stream.task(full);
    EXPECT_EQ(decoded(stream), "fork at=4 thread=9 pid=9 parent=8/8 comm=cccccccccccccccc");
}

}  // namespace
}  // namespace timesink::event
