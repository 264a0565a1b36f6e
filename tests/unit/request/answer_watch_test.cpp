#include "request/answer_watch.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "request/tracker.hpp"

namespace timesink::request {
namespace {

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

struct Told final : Listener {
    void began(const Unit&) override {}
    void answering(const Unit&) override {}
    void ended(Unit&& unit) override { units.push_back(std::move(unit)); }
    void sent(const Exchange&) override {}
    void answered(Exchange&& exchange) override { exchanges.push_back(std::move(exchange)); }
    void lost(ProcessId, ThreadId) override {}
    std::vector<Unit> units;
    std::vector<Exchange> exchanges;
};

/// One connection of the target, whose calls are made at the times given; what is read arrived 1 ms before.
class Conversation {
public:
    explicit Conversation(ts_socket_origin origin) : connection_(socket(origin), false, tracker_) {}

    /// `hidden`: bytes behind `text` that are not captured, then `tail`.
    void move(ts_operation operation, std::int64_t at, const std::string& text, std::uint64_t hidden = 0,
              const std::string& tail = {}) {
        std::uint64_t& position = operation == TS_OPERATION_READ ? read_ : written_;
        const std::uint64_t bytes = text.size() + hidden + tail.size();
        if (operation == TS_OPERATION_READ) {
            connection_.on(event::Arrival{.at = ms(at - 1), .socket = SocketId{1}, .stream_end = position + bytes});
        }
        event::Call call{};
        call.operation = operation;
        call.socket = SocketId{1};
        call.process = ProcessId{9};
        call.thread = ThreadId{9};
        call.stream_begin = position;
        call.result = static_cast<std::int64_t>(bytes);
        call.head = std::as_bytes(std::span(text));
        call.tail = std::as_bytes(std::span(tail));
        call.entered = call.exited = ms(at);
        connection_.on(call);
        position += bytes;
    }
    void write(std::int64_t at, const std::string& text) { move(TS_OPERATION_WRITE, at, text); }
    void read(std::int64_t at, const std::string& text) { move(TS_OPERATION_READ, at, text); }
    /// As one chunk of a body.
    static std::string chunk(const std::string& text) {
        char size[16];
        std::snprintf(size, sizeof(size), "%zx", text.size());
        return std::string(size) + "\r\n" + text + "\r\n";
    }
    static std::string post(const std::string& path, const std::string& body) {
        return "POST " + path + " HTTP/1.1\r\nHost: llm.test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body;
    }
    void close() { connection_.close(ms(10000)); }

    Told told;

private:
    static event::Socket socket(ts_socket_origin origin) {
        event::Socket made{};
        made.socket = SocketId{1};
        made.origin = origin;
        made.family = 2;
        made.process = ProcessId{9};
        return made;
    }
    RouteTable routes_;
    Tracker tracker_{told, routes_};
    net::Connection connection_;
    std::uint64_t read_ = 0;
    std::uint64_t written_ = 0;
};

const std::string kStreamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kAsk = R"({"messages":[{"role":"user","content":"a planted secret"}],"model":"gpt","stream":true})";
const std::string kFirst =
    "data: "
    "{\"object\":\"chat.completion.chunk\",\"model\":\"gpt-1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}"
    "]}\n\n";
const std::string kToken = "data: {\"choices\":[{\"delta\":{\"content\":\"another secret\"}}]}\n\n";
const std::string kUsage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

TEST(AnswerWatch, AStreamedChatHasTokensTimesAndItsModel) {
    Conversation talk(TS_SOCKET_CONNECT);
    talk.write(100, Conversation::post("/v1/chat/completions", kAsk));
    talk.read(150, kStreamHead + Conversation::chunk(kFirst));
    talk.read(200, Conversation::chunk(kToken));
    talk.read(230, Conversation::chunk(kToken));
    talk.read(300, Conversation::chunk(kToken));
    talk.read(310, Conversation::chunk(kUsage) + "0\r\n\r\n");
    ASSERT_EQ(talk.told.exchanges.size(), 1U);
    const Exchange& exchange = talk.told.exchanges[0];
    ASSERT_NE(exchange.stream, nullptr);
    EXPECT_EQ(exchange.stream->events, 6U);
    EXPECT_TRUE(exchange.stream->exact);
    EXPECT_EQ(exchange.stream->first, ms(149));
    EXPECT_EQ(exchange.stream->last, ms(309));
    EXPECT_EQ(exchange.stream->longest_gap, std::chrono::milliseconds(70));
    ASSERT_NE(exchange.genai, nullptr);
    EXPECT_EQ(exchange.genai->request_model, "gpt");
    EXPECT_EQ(exchange.genai->response_model, "gpt-1");
    EXPECT_EQ(exchange.genai->first_token, ms(199));
    EXPECT_EQ(exchange.genai->last_token, ms(299));
    EXPECT_EQ(exchange.genai->input_tokens, 12U);
    EXPECT_EQ(exchange.genai->output_tokens, 3U);
    EXPECT_TRUE(exchange.genai->streamed);
    EXPECT_EQ(exchange.genai->unread, "");
}

TEST(AnswerWatch, TwoEventsInOneReadHaveTheTimesOfTheirArrivals) {
    Conversation talk(TS_SOCKET_ACCEPT);
    talk.read(10, "GET /events HTTP/1.1\r\n\r\n");
    talk.write(20, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n");
    talk.write(30, "{\"a\":1}\n{\"b\":2}\n");
    talk.write(80, "{\"c\":3}\n");
    talk.close();
    ASSERT_EQ(talk.told.units.size(), 1U);
    ASSERT_NE(talk.told.units[0].stream, nullptr);
    EXPECT_EQ(talk.told.units[0].stream->events, 3U);
    EXPECT_EQ(talk.told.units[0].stream->first, ms(30));
    EXPECT_EQ(talk.told.units[0].stream->longest_gap, std::chrono::milliseconds(50));
}

TEST(AnswerWatch, WhatWasNotCapturedIsSaidToBeMissing) {
    Conversation talk(TS_SOCKET_CONNECT);
    talk.write(100, Conversation::post("/v1/chat/completions", kAsk));
    talk.read(150, kStreamHead + Conversation::chunk(kFirst));
    const std::string event = "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(900, 'x') + "\"}}]}\n\n";
    const std::string framed = Conversation::chunk(event);
    talk.move(TS_OPERATION_READ, 200, framed.substr(0, 60), framed.size() - 80, framed.substr(framed.size() - 20));
    talk.read(310, Conversation::chunk(kUsage) + "0\r\n\r\n");
    ASSERT_EQ(talk.told.exchanges.size(), 1U);
    const Exchange& exchange = talk.told.exchanges[0];
    EXPECT_TRUE(exchange.complete);
    EXPECT_EQ(exchange.stream->events, 4U);
    EXPECT_FALSE(exchange.stream->exact);
    EXPECT_EQ(exchange.genai->output_tokens, 3U);
    EXPECT_EQ(exchange.genai->unread, "");
}

TEST(AnswerWatch, WithoutAPathTheFormOfTheAnswerTells) {
    const proto::Head head{.operation = "POST"};
    const std::unique_ptr<AnswerWatch> watch = AnswerWatch::of_request(head);
    ASSERT_NE(watch, nullptr);
    Told told;
    RouteTable routes;
    Tracker tracker(told, routes);
    event::Socket socket{};
    socket.origin = TS_SOCKET_CONNECT;
    net::Connection connection(socket, false, tracker);
    watch->content({.bytes = std::as_bytes(std::span(kAsk))}, connection);
    watch->response({.direction = proto::Direction::response});
    const std::string events = kFirst + kToken + kUsage;
    watch->content({.direction = proto::Direction::response, .bytes = std::as_bytes(std::span(events))}, connection);
    watch->finish(0, "");
    ASSERT_NE(watch->genai(), nullptr);
    EXPECT_EQ(watch->genai()->api, genai::Api::chat_completions);
    EXPECT_EQ(watch->genai()->output_tokens, 3U);
    EXPECT_EQ(AnswerWatch::of_request(proto::Head{.operation = "GET"}), nullptr);
}

TEST(AnswerWatch, AnAnswerOfAnotherServiceUnderSuchAPathIsNone) {
    Conversation talk(TS_SOCKET_CONNECT);
    talk.write(100, Conversation::post("/v1/messages", R"({"to":"bob","messages":["hi"]})"));
    talk.read(150, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"sent\":12}");
    ASSERT_EQ(talk.told.exchanges.size(), 1U);
    EXPECT_EQ(talk.told.exchanges[0].genai, nullptr);
}

std::string gzipped(std::string text) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(text.size() + 100, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

Exchange compressed(const std::string& encoding, const std::string& body, std::uint64_t hidden) {
    Conversation talk(TS_SOCKET_CONNECT);
    talk.write(100, Conversation::post("/v1/messages", R"({"model":"claude","messages":[]})"));
    talk.move(TS_OPERATION_READ, 150,
              "HTTP/1.1 200 OK\r\nContent-Encoding: " + encoding + "\r\nContent-Length: " + std::to_string(body.size() + hidden) +
                  "\r\n\r\n" + body,
              hidden);
    EXPECT_EQ(talk.told.exchanges.size(), 1U);
    return talk.told.exchanges.at(0);
}

TEST(AnswerWatch, ACompressedAnswerIsReadWhenItIsWhole) {
    const std::string body = gzipped(R"({"type":"message","model":"claude-1","usage":{"input_tokens":5,"output_tokens":6}})");
    const Exchange whole = compressed("gzip", body, 0);
    EXPECT_EQ(whole.genai->output_tokens, 6U);
    EXPECT_EQ(whole.genai->response_model, "claude-1");
    EXPECT_EQ(whole.genai->unread, "");
    for (const Exchange& unread : {compressed("br", "whatever", 0), compressed("gzip", body.substr(0, 40), 100)}) {
        EXPECT_FALSE(unread.genai->output_tokens);
        EXPECT_EQ(unread.genai->unread, "compressed");
        EXPECT_EQ(unread.genai->request_model, "claude");
    }
}

TEST(AnswerWatch, EqualRequestsHaveEqualDigestsAndOthersHaveNot) {
    Conversation talk(TS_SOCKET_CONNECT);
    std::int64_t at = 100;
    for (const char* prompt : {"a", "a", "b"}) {
        talk.write(at, Conversation::post("/v1/messages", std::string(R"({"model":"m","messages":[")") + prompt + "\"]}"));
        talk.read(at + 10, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        at += 100;
    }
    ASSERT_EQ(talk.told.exchanges.size(), 3U);
    const auto digest = [&](std::size_t i) { return talk.told.exchanges[i].genai->request_digest; };
    EXPECT_EQ(digest(0), digest(1));
    EXPECT_NE(digest(0), digest(2));
}

}  // namespace
}  // namespace timesink::request
