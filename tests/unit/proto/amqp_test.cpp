#include "proto/amqp/amqp.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string big(std::uint64_t value, int bytes) {
    std::string out;
    for (int at = bytes - 1; at >= 0; --at) {
        out.push_back(static_cast<char>(value >> (8 * at)));
    }
    return out;
}
std::string frame(int type, std::uint64_t channel, const std::string& payload) {
    return big(static_cast<std::uint64_t>(type), 1) + big(channel, 2) + big(payload.size(), 4) + payload + '\xce';
}
std::string method(std::uint64_t channel, std::uint64_t of_class, std::uint64_t number, const std::string& arguments = "") {
    return frame(1, channel, big(of_class, 2) + big(number, 2) + arguments);
}
std::string name(const std::string& text) {
    return big(text.size(), 1) + text;
}
std::string content(std::uint64_t channel, const std::string& body) {
    return frame(2, channel, big(60, 2) + big(0, 2) + big(body.size(), 8) + big(0, 2)) +
           (body.empty() ? "" : frame(3, channel, body));
}
std::string publish(std::uint64_t channel, const std::string& exchange, const std::string& key, const std::string& body) {
    return method(channel, 60, 40, big(0, 2) + name(exchange) + name(key) + '\0') + content(channel, body);
}
std::string ack(std::uint64_t channel, std::uint64_t tag, bool multiple = false) {
    return method(channel, 60, 80, big(tag, 8) + big(multiple ? 1 : 0, 1));
}
std::string declare(std::uint64_t channel, const std::string& queue, int bits = 0) {
    return method(channel, 50, 10, big(0, 2) + name(queue) + big(static_cast<std::uint64_t>(bits), 1) + big(0, 4));
}
std::string declared(std::uint64_t channel, const std::string& queue) {
    return method(channel, 50, 11, name(queue) + big(0, 8));
}
const std::vector<Step> kProbe = {client(declare(77, "probe")), server(declared(77, "probe"))};

const std::string kHeader = raw("AMQP\0\0\x09\1");
const std::string kSelect = method(1, 85, 10, big(0, 1));

const Case kCases[] = {
    {"a connection and a channel",
     {client(kHeader), server(method(0, 10, 10, big(9, 2) + big(0, 4))), client(method(0, 10, 11, big(0, 4))),
      server(method(0, 10, 30, big(0, 8))), client(method(0, 10, 31, big(0, 8)) + method(0, 10, 40, name("/") + big(0, 2))),
      server(method(0, 10, 41, big(0, 1))), client(method(1, 20, 10, big(0, 1))), server(method(1, 20, 11, big(0, 4))),
      client(frame(8, 0, ""))},
     {"connect connect (housekeeping) ->", "connection.start-ok connection.start-ok (housekeeping) ->",
      "connection.tune-ok connection.tune-ok (housekeeping) (one way)", "connection.open connection.open (housekeeping) ->",
      "channel.open channel.open (housekeeping) ->"}},
    {"nobody waits for a publish",
     {client(publish(1, "shop", "order.new", "hello") + publish(1, "", "mail", ""))},
     {"publish publish (one way) {amqp.key=shop:order.new, messaging.destination.name=shop} [5]",
      "publish publish (one way) {amqp.key=mail}"}},
    {"confirmed publishes",
     {client(kSelect), server(method(1, 85, 11)), client(publish(1, "", "a", "1")), server(ack(1, 1)),
      client(publish(1, "", "a", "2") + publish(1, "", "a", "3")), server(ack(1, 3, true))},
     {"confirm.select confirm.select (housekeeping) ->", "publish publish {amqp.key=a} [1] ->",
      "publish publish {amqp.key=a} [1] ->", "publish publish {amqp.key=a} [1] ->"}},
    {"a publish that the server did not take",
     {client(kSelect), server(method(1, 85, 11)), client(publish(1, "", "a", "1")),
      server(method(1, 60, 120, big(1, 8) + big(0, 1)))},
     {"confirm.select confirm.select (housekeeping) ->", "publish publish {amqp.key=a} [1] -> nack"}},
    {"a body in several frames, another channel between",
     {client(method(1, 60, 40, big(0, 2) + name("") + name("a") + '\0') +
             frame(2, 1, big(60, 2) + big(0, 2) + big(6, 8) + big(0, 2)) + frame(3, 1, "abc") + declare(2, "q") +
             frame(3, 1, "def")),
      server(declared(2, "q"))},
     {"publish publish (one way) {amqp.key=a} [6]", "queue.declare queue.declare {amqp.key=q, messaging.destination.name=q} ->"}},
    {"channels are answered independently",
     {client(declare(1, "a") + declare(2, "b")), server(declared(2, "b") + declared(1, "a"))},
     {"queue.declare queue.declare {amqp.key=a, messaging.destination.name=a} ->",
      "queue.declare queue.declare {amqp.key=b, messaging.destination.name=b} ->"}},
    {"a message is got, and none is",
     {client(method(1, 60, 70, big(0, 2) + name("q") + '\0')),
      server(method(1, 60, 71, big(1, 8) + big(0, 1) + name("") + name("q") + big(0, 4)) + content(1, "hello")),
      client(method(1, 60, 70, big(0, 2) + name("q") + '\0')), server(method(1, 60, 72, big(0, 1)))},
     {"basic.get basic.get {amqp.key=q, messaging.destination.name=q} -> body=5",
      "basic.get basic.get {amqp.key=q, messaging.destination.name=q} ->"}},
    {"deliveries answer nothing",
     {client(method(1, 60, 20, big(0, 2) + name("q") + name("t") + '\0' + big(0, 4))), server(method(1, 60, 21, name("t"))),
      server(method(1, 60, 60, name("t") + big(1, 8) + big(0, 1) + name("shop") + name("new")) + content(1, "hello")),
      client(ack(1, 1))},
     {"basic.consume basic.consume {amqp.key=q, messaging.destination.name=q} ->", "basic.ack basic.ack (one way)",
      "nobody -> {amqp.key=shop:new, messaging.destination.name=shop}"}},
    {"no answer is wanted",
     {client(declare(1, "q", 16))},
     {"queue.declare queue.declare (one way) {amqp.key=q, messaging.destination.name=q}"}},
    {"the server closes the channel",
     {client(declare(1, "q")), server(method(1, 20, 40, big(406, 2) + name("PRECONDITION_FAILED") + big(0, 4))),
      client(method(1, 20, 41))},
     {"queue.declare queue.declare {amqp.key=q, messaging.destination.name=q} -> 406",
      "channel.close-ok channel.close-ok (housekeeping) (one way)"}},
    {"not AMQP 0-9-1", {client(raw("AMQP\0\1\0\0"))}, {"not mine"}},
    {"not AMQP", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
};

class AmqpCases : public ::testing::TestWithParam<Case> {};
TEST_P(AmqpCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), amqp::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Amqp, AmqpCases, ::testing::ValuesIn(kCases));

/// One call of which only begin and end are captured.
Recorder run_cut(const std::string& call, std::size_t head, std::size_t tail) {
    const auto parser = amqp::make();
    Recorder seen;
    const auto give = [&](std::uint64_t position, const std::string& bytes, bool ends_call) {
        parser->parse({Direction::request, position, std::as_bytes(std::span(bytes)), ends_call}, seen);
    };
    give(0, call.substr(0, head), false);
    parser->gap(Direction::request, head, call.size() - tail, seen);
    give(call.size() - tail, call.substr(call.size() - tail), true);
    return seen;
}

std::string in_bodies(const std::vector<std::size_t>& sizes) {
    std::size_t whole = 0;
    std::string bodies;
    for (const std::size_t size : sizes) {
        whole += size;
        bodies += frame(3, 1, std::string(size, 'x'));
    }
    return method(1, 60, 40, big(0, 2) + name("") + name("a") + '\0') +
           frame(2, 1, big(60, 2) + big(0, 2) + big(whole, 8) + big(0, 2)) + bodies;
}

TEST(Amqp, BodiesThatWereNotCapturedAreToldByTheSizeOfTheMessage) {
    const std::string call = in_bodies({400, 400, 400, 90}) + declare(2, "q");
    for (const std::size_t head : {60U, 470U, 475U}) {  // within the first body, behind it, within the next one's header
        for (const std::size_t tail : {60U, 150U, 250U}) {
            const Recorder seen = run_cut(call, head, tail);
            ASSERT_EQ(seen.exchanges.size(), 2U) << head << ' ' << tail;
            EXPECT_TRUE(seen.exchanges[0].request_end.complete);
            EXPECT_EQ(seen.exchanges[0].request_end.body_bytes, 1290U);
            EXPECT_EQ(seen.exchanges[0].request_end.end, call.size() - declare(2, "q").size());
            EXPECT_EQ(seen.losses, 0);
        }
    }
}

TEST(Amqp, BodiesThatAreNotAsAssumedAreLost) {
    // Another channel's frame lies between the bodies.
    const std::string bodies = in_bodies({400, 400, 90});
    const std::string call = bodies.substr(0, bodies.size() - 98) + declare(2, "q") + bodies.substr(bodies.size() - 98);
    const Recorder seen = run_cut(call, 100, 60);
    EXPECT_FALSE(seen.exchanges.at(0).request_end.complete);
    EXPECT_EQ(seen.losses, 1);
}

TEST(Amqp, TheNumberOfAPublishIsLearnedFromWhatTheServerConfirms) {
    std::vector<Step> steps;  // attached behind confirm.select, the 41st and the 42nd still open
    steps.push_back(server(ack(1, 41)));
    for (std::uint64_t tag = 43; tag < 50; ++tag) {
        steps.push_back(client(publish(1, "", "a", "1")));
        if (tag == 43) {
            steps.push_back(server(ack(1, 42)));
        }
        steps.push_back(server(ack(1, tag)));
    }
    const Recorder seen = run_at_once(steps, amqp::make);
    ASSERT_EQ(seen.exchanges.size(), 7U);
    EXPECT_TRUE(seen.exchanges[6].response_end.complete);
    EXPECT_TRUE(seen.exchanges[4].response_end.complete);
    EXPECT_EQ(seen.exchanges[1].response_end.error, "lost");
}

}  // namespace
}  // namespace timesink::proto::test
