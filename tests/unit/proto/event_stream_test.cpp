#include "proto/event_stream.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace timesink::proto {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = EventStream::Kind;

struct Log final : EventStream::Listener {
    void event(const EventStream::Event& event) override {
        const std::string lead = event.name.empty() ? "" : std::string(event.name) + ": ";
        const std::string missing = event.data.whole() ? "" : "…" + std::string(event.data.tail());
        lines.push_back(lead + std::string(event.data.head()) + missing + (event.cut ? " cut" : ""));
        ends.push_back(event.last);
    }
    std::vector<std::string> lines;
    std::vector<std::uint64_t> ends;
};

/// At once, byte by byte, in threes, and split at every place: the same events at the same positions.
Log events_of(Kind kind, const std::string& text) {
    Log whole;
    EventStream stream(kind);
    stream.take(text, 100, whole);
    stream.finish(100 + text.size(), whole);
    const auto compare = [&](const std::vector<std::size_t>& cuts) {
        Log log;
        EventStream other(kind);
        std::size_t from = 0;
        for (const std::size_t cut : cuts) {
            other.take(std::string_view(text).substr(from, cut - from), 100 + from, log);
            from = cut;
        }
        other.take(std::string_view(text).substr(from), 100 + from, log);
        other.finish(100 + text.size(), log);
        EXPECT_EQ(log.lines, whole.lines);
        EXPECT_EQ(log.ends, whole.ends);
    };
    std::vector<std::size_t> ones;
    std::vector<std::size_t> threes;
    for (std::size_t at = 1; at < text.size(); ++at) {
        compare({at});
        ones.push_back(at);
        if (at % 3 == 0) {
            threes.push_back(at);
        }
    }
    compare(ones);
    compare(threes);
    return whole;
}

TEST(EventStream, EventsAreWhatAClientWouldDispatch) {
    const Log log = events_of(Kind::server_sent,
                              ": a comment\n\nevent: delta\ndata: one\n\ndata:two\ndata: lines\nid: 7\n\nretry: 5\n\ndata\n\n");
    EXPECT_THAT(log.lines, ElementsAre("delta: one\n", "two\nlines\n", "\n"));
    EXPECT_EQ(log.ends.front(), 100U + std::string_view(": a comment\n\nevent: delta\ndata: one\n").size());
}

TEST(EventStream, LinesEndWithCrLfOrBoth) {
    EXPECT_THAT(events_of(Kind::server_sent, "data: a\r\rdata: b\r\n\r\ndata: c\n\r\n").lines, ElementsAre("a\n", "b\n", "c\n"));
}

TEST(EventStream, AByteOrderMarkIsPassedOver) {
    EXPECT_THAT(events_of(Kind::server_sent,
                          "\xef\xbb\xbf"
                          "data: a\n\n")
                    .lines,
                ElementsAre("a\n"));
}

TEST(EventStream, AnEventWithoutItsEmptyLineIsNone) {
    EXPECT_THAT(events_of(Kind::server_sent, "data: a\n").lines, IsEmpty());
}

TEST(EventStream, JsonLines) {
    EXPECT_THAT(events_of(Kind::lines, "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}").lines,
                ElementsAre("{\"a\":1}", "{\"b\":2}", "{\"c\":3}"));
}

TEST(EventStream, BehindAGapOneEventIsCutAndTheNextIsWhole) {
    for (const Kind kind : {Kind::server_sent, Kind::lines}) {
        Log log;
        EventStream stream(kind);
        const std::string end = kind == Kind::lines ? "\n" : "\n\n";
        stream.take(kind == Kind::lines ? "first" : "data: first", 0, log);
        stream.gap();
        stream.take("the rest" + end + (kind == Kind::lines ? "next" : "data: next") + end, 500, log);
        ASSERT_EQ(log.lines.size(), 2U);
        EXPECT_EQ(log.lines[0], "first…the rest cut");
        EXPECT_EQ(log.lines[1].substr(0, 4), "next");
    }
}

TEST(EventStream, AGapIsContentOfAnEvent) {
    Log log;
    EventStream stream(Kind::server_sent);
    stream.take("data: a\n\n", 0, log);
    stream.gap();
    stream.finish(50, log);
    EXPECT_EQ(log.lines.size(), 2U);
    EXPECT_EQ(log.lines.back(), "… cut");
}

TEST(EventStream, AnEndlessEventTakesNoMemory) {
    Log log;
    EventStream stream(Kind::server_sent);
    stream.take("data: ", 0, log);
    const std::string piece(100000, 'x');
    for (int i = 0; i < 100; ++i) {
        stream.take(piece, 6, log);
    }
    stream.take("END\n\n", 7, log);
    ASSERT_EQ(log.lines.size(), 1U);
    EXPECT_LT(log.lines[0].size(), EventStream::kKeptHead + 2 * EventStream::kKeptTail + 10);
    EXPECT_TRUE(log.lines[0].ends_with("END\n"));
}

TEST(EventStream, IsKnownByItsMediaType) {
    EXPECT_EQ(EventStream::kind_of("text/event-stream; charset=utf-8"), Kind::server_sent);
    EXPECT_EQ(EventStream::kind_of("Text/Event-Stream"), Kind::server_sent);
    EXPECT_EQ(EventStream::kind_of("application/x-ndjson"), Kind::lines);
    EXPECT_FALSE(EventStream::kind_of("application/json"));
    EXPECT_FALSE(EventStream::kind_of(""));
}

}  // namespace
}  // namespace timesink::proto
