#include "redact/redactor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "event/record.hpp"
#include "records/record.hpp"
#include "records/wire.hpp"

namespace timesink::redact {
namespace {

constexpr Secret kSecret = {3, 4};
constexpr std::uint64_t kSocket = 77;
constexpr std::uint64_t kMs = 1'000'000;

std::string text_of(const records::Buffer& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A conversation of one connection, as records.
class Conversation {
public:
    /// `server`: whose end is recorded.
    explicit Conversation(bool server) : server_(server) {
        ts_socket socket{};
        socket.head = records::head(now_ += kMs);
        socket.socket = kSocket;
        socket.pid = 10;
        socket.family = 2;
        socket.type = 1;
        socket.origin = static_cast<__u8>(server ? TS_SOCKET_PASSIVE : TS_SOCKET_CONNECT);
        socket.is_server = server ? 1 : 0;
        stream_.socket(socket);
    }
    void client(std::string_view bytes, std::size_t head = 4096, std::size_t tail = 0) { move(server_, bytes, head, tail); }
    void server(std::string_view bytes, std::size_t head = 4096, std::size_t tail = 0) { move(!server_, bytes, head, tail); }
    void fact(const nlohmann::json& body) { stream_.fact(now_ += kMs, body); }
    void watermark() { stream_.watermark(now_); }
    records::Stream& stream() { return stream_; }
    std::uint64_t next_time() { return now_ += kMs; }

private:
    void move(bool read, std::string_view bytes, std::size_t head, std::size_t tail) {
        std::uint64_t& position = positions_[read ? 0 : 1];
        ts_call call{};
        call.head = records::head(now_ += kMs, 0, 11);
        call.entered = now_ - kMs / 2;
        call.result = static_cast<TS_S64>(bytes.size());
        call.socket = kSocket;
        call.stream_begin = position;
        call.pid = 10;
        call.operation = static_cast<__u8>(read ? TS_OPERATION_READ : TS_OPERATION_WRITE);
        position += bytes.size();
        head = std::min(head, bytes.size());
        tail = std::min(tail, bytes.size() - head);
        stream_.call(call, bytes.substr(0, head), bytes.substr(bytes.size() - tail));
        watermark();
    }
    bool server_;
    std::uint64_t now_ = 1'000 * kMs;
    std::uint64_t positions_[2] = {};
    records::Stream stream_;
};

records::Buffer redacted(const records::Buffer& bytes, std::size_t piece = 0) {
    records::Buffer out;
    Redactor redactor([&out](auto records) { out.insert(out.end(), records.begin(), records.end()); }, kSecret);
    std::span<const std::byte> rest(bytes);
    std::size_t records = 0;
    std::span<const std::byte> batch = rest.first(0);
    while (const auto head = event::read_head(rest)) {
        batch = {batch.data(), batch.size() + head->size};
        rest = rest.subspan(head->size);
        if (piece != 0 && ++records % piece == 0) {
            EXPECT_TRUE(redactor.push(batch));
            batch = rest.first(0);
        }
    }
    EXPECT_TRUE(redactor.push(batch));
    redactor.finish();
    return out;
}

/// What must hold of every run: masked once more nothing changes, in whatever batches; sizes and heads stay.
std::string checked(Conversation& conversation) {
    const records::Buffer bytes = conversation.stream().bytes();
    const records::Buffer out = redacted(bytes);
    EXPECT_EQ(out.size(), bytes.size());
    EXPECT_EQ(redacted(bytes, 1), out) << "one record at a time";
    EXPECT_EQ(redacted(out), out) << "twice";
    return text_of(out);
}

TEST(Redactor, MasksHttp) {
    Conversation talk(true);
    talk.client(
        "POST /orders?card=s3cret HTTP/1.1\r\nHost: shop\r\nAUTHORIZATION: Bearer s3cret\r\ncookie: a=s3cret\r\n"
        "Content-Length: 17\r\n\r\n{\"pw\":\"s3cret12\"}");
    talk.server(
        "HTTP/1.1 201 s3cret\r\nSet-Cookie: s3cret\r\nTransfer-Encoding: chunked\r\n\r\n6;s3cret\r\ns3cret\r\n0\r\nX: "
        "s3cret\r\n\r\n");
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_NE(out.find("POST /orders?card=xxxxxx HTTP/1.1\r\nHost: shop\r\nAUTHORIZATION: Bearer xxxxxx\r\ncookie: xxxxxxxx\r\n"
                       "Content-Length: 17\r\n\r\nxxxxxxxxxxxxxxxxx"),
              std::string::npos);
    EXPECT_NE(out.find("\r\n6;xxxxxx\r\nxxxxxx\r\n0\r\n"), std::string::npos);
}

TEST(Redactor, MasksALineThatComesInTwoCalls) {
    Conversation talk(true);
    talk.client("GET /?a=s3c");
    talk.client("ret HTTP/1.1\r\nCookie: s3");
    talk.client("cret\r\n\r\n");
    const std::string out = checked(talk);
    EXPECT_NE(out.find("GET /?a=xxx"), std::string::npos);
    EXPECT_NE(out.find("xxx HTTP/1.1\r\nCookie: xx"), std::string::npos);
    EXPECT_NE(out.find("xxxx\r\n\r\n"), std::string::npos);
}

// A server that answers and closes while the last of the request is on its way: the connection is reset ahead of the read.
TEST(Redactor, KeepsWhatIsReadBehindTheConnectionsEnd) {
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Token: s3cret\r\n\r\n";
    Conversation talk(false);
    talk.client("GET /orders HTTP/1.1\r\nHost: shop\r\n\r\n");
    ts_arrival arrival{};
    arrival.head = records::head(talk.next_time());
    arrival.socket = kSocket;
    arrival.stream_end = answer.size();
    talk.stream().arrival(arrival);
    ts_socket_state closed{};
    closed.head = records::head(talk.next_time());
    closed.socket = kSocket;
    closed.old_state = 8;  // TCP_CLOSE_WAIT
    closed.new_state = 7;  // TCP_CLOSE
    talk.stream().socket_state(closed);
    talk.server(answer);
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_NE(out.find("HTTP/1.1 200 xx\r\nContent-Length: 0\r\nX-Token: xxxxxx\r\n"), std::string::npos);
}

TEST(Redactor, MasksPostgres) {
    namespace pg = records::postgres;
    Conversation talk(false);
    talk.client(pg::query("SELECT 's3cret' FROM t WHERE id = 123456"));
    talk.server(pg::message('T', "s3cret") + pg::message('D', "s3cret") + pg::message('C', pg::text("SELECT 1")) +
                pg::message('Z', "I"));
    talk.client(pg::query("INSERT INTO t VALUES ('x')"));
    talk.server(
        pg::message('E', pg::text("SERROR") + pg::text("C23505") + pg::text("DKey (email)=(s3cret) already exists.") + '\0') +
        pg::message('Z', "I"));
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_EQ(out.find("123456"), std::string::npos);
    EXPECT_NE(out.find("SELECT 'xxxxxx' FROM t WHERE id = 000000"), std::string::npos);
    EXPECT_NE(out.find("C23505"), std::string::npos);
    EXPECT_NE(out.find("SELECT 1"), std::string::npos);
}

TEST(Redactor, KeepsTheEndOfAResultWhoseMiddleWasNotCaptured) {
    namespace pg = records::postgres;
    Conversation talk(false);
    talk.client(pg::query("SELECT 1"));
    std::string rows;
    for (int row = 0; row < 200; ++row) {
        rows += pg::message('D', "s3cret and what else is in a row");
    }
    const std::string end = pg::message('C', pg::text("SELECT 200")) + pg::message('Z', "I");
    talk.server(rows + end, 100, 60);
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_NE(out.find(end), std::string::npos);
}

TEST(Redactor, MasksPiecesAsTheirCall) {
    std::string commands;
    for (int command = 0; command < 10; ++command) {
        commands += "*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$6\r\ns3cret\r\n";
    }
    constexpr std::size_t kHead = 50;
    constexpr std::size_t kTail = 20;
    Conversation talk(false);
    ts_payload piece{};
    piece.head = records::head(talk.next_time(), 0, 11);
    piece.entered = piece.head.time;
    piece.socket = kSocket;
    piece.position = kHead;
    piece.operation = TS_OPERATION_WRITE;
    talk.stream().payload(piece, std::string_view(commands).substr(kHead, commands.size() - kHead - kTail));
    talk.client(commands, kHead, kTail);
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    std::size_t kept = 0;
    for (std::size_t at = out.find("SET\r\n$4\r\nname\r\n$6\r\nxxxxxx"); at != std::string::npos;
         at = out.find("SET\r\n$4\r\nname\r\n$6\r\nxxxxxx", at + 1)) {
        ++kept;
    }
    EXPECT_GE(kept, 8U) << "all but those that are in two records";
}

TEST(Redactor, MasksPiecesOfPlaintextAsTheRestOfIt) {
    std::string commands;
    for (int command = 0; command < 10; ++command) {
        commands += "*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$6\r\ns3cret\r\n";
    }
    constexpr std::size_t kHead = 50;
    constexpr std::size_t kTail = 20;
    constexpr std::size_t kOfTls = 22;  // bytes of a record beside its plaintext
    Conversation talk(false);
    ts_payload piece{};
    piece.head = records::head(talk.next_time(), 0, 11);
    piece.entered = piece.head.time;
    piece.socket = 5;
    piece.position = kHead;
    piece.operation = TS_OPERATION_WRITE;
    piece.flags = TS_PAYLOAD_CLEAR;
    ts_plaintext plain{};
    plain.head = piece.head;
    plain.library = 5;
    plain.connection = kSocket;
    plain.length = commands.size();
    plain.pid = 10;
    plain.operation = TS_OPERATION_WRITE;
    plain.flags = TS_PLAINTEXT_SOCKET;
    const std::string_view text = commands;
    talk.stream().payload(piece, text.substr(kHead, text.size() - kHead - kTail));
    talk.stream().plaintext(plain, text.substr(0, kHead), text.substr(text.size() - kTail));
    talk.client(std::string(commands.size() + kOfTls, '\x17'), kHead, kTail);
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    std::size_t kept = 0;
    for (std::size_t at = out.find("SET\r\n$4\r\nname\r\n$6\r\nxxxxxx"); at != std::string::npos;
         at = out.find("SET\r\n$4\r\nname\r\n$6\r\nxxxxxx", at + 1)) {
        ++kept;
    }
    EXPECT_GE(kept, 8U) << "all but those that are in two records";
}

TEST(Redactor, MasksWhatNobodyUnderstands) {
    Conversation talk(true);
    talk.client("\x01\x02 s3cret of an unknown protocol");
    talk.server("\x03\x04 s3cret");
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_EQ(out.find("unknown"), std::string::npos);
}

TEST(Redactor, MasksPlaintextOfNoConnection) {
    Conversation talk(true);
    ts_plaintext plain{};
    plain.head = records::head(talk.next_time(), 0, 11);
    plain.library = 5;
    plain.connection = 6;
    plain.length = 6;
    plain.pid = 10;
    plain.operation = TS_OPERATION_WRITE;
    talk.stream().plaintext(plain, "s3cret");
    talk.watermark();
    EXPECT_EQ(checked(talk).find("s3cret"), std::string::npos);
}

TEST(Redactor, MasksCommandLines) {
    Conversation talk(true);
    talk.fact({{"fact", "process"},
               {"pid", 10},
               {"command_line",
                {"/usr/bin/python3", "-m", "uvicorn", "shop:app", "--password=s3cret", "-ps3cret", "s3cret", "--port", "80"}}});
    const std::string out = checked(talk);
    EXPECT_EQ(out.find("s3cret"), std::string::npos);
    EXPECT_NE(out.find(R"(["/usr/bin/python3","-m","uvicorn","xxxxxxxx","--password=xxxxxx","-pxxxxxx","xxxxxx","--port","xx"])"),
              std::string::npos)
        << out;
}

TEST(Redactor, LetsGoOfRecordsInTheirOrder) {
    Conversation talk(true);
    for (int i = 0; i < 2000; ++i) {
        talk.client("GET / HTTP/1.1\r\n\r\n");
        talk.server("HTTP/1.1 204 \r\n\r\n");
    }
    const records::Buffer bytes = talk.stream().bytes();
    records::Buffer out;
    Redactor redactor([&out](auto records) { out.insert(out.end(), records.begin(), records.end()); }, kSecret);
    ASSERT_TRUE(redactor.push(bytes));
    EXPECT_GT(out.size(), bytes.size() / 2) << "nothing is let go of before the end";
    redactor.finish();
    EXPECT_EQ(out, bytes);  // there is nothing in it to mask
}

TEST(Redactor, GivesNothingBackOfWhatIsNoRecord) {
    Conversation talk(true);
    ts_call call{};
    call.head = records::head(talk.next_time());
    call.operation = 99;
    call.result = 6;
    talk.stream().call(call, "s3cret");
    EXPECT_EQ(checked(talk).find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace timesink::redact
