#include <gmock/gmock.h>

#include "proto/http1/http1.hpp"
#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

constexpr char kText = '\x81';
constexpr char kBinary = '\x82';
constexpr char kBegin = '\x01';   // text, more to come
constexpr char kGoesOn = '\x00';  // a continuation, more to come
constexpr char kEnd = '\x80';     // the last continuation
constexpr char kPing = '\x89';
constexpr char kPong = '\x8a';
constexpr char kDeflated = '\xc1';  // text, RSV1

std::string length_of(std::size_t size, bool masked) {
    const auto bit = static_cast<char>(masked ? 0x80 : 0);
    if (size < 126) {
        return {static_cast<char>(bit | static_cast<char>(size))};
    }
    if (size < 65536) {
        return {static_cast<char>(bit | 126), static_cast<char>(size >> 8), static_cast<char>(size)};
    }
    std::string text(1, static_cast<char>(bit | 127));
    for (int shift = 56; shift >= 0; shift -= 8) {
        text.push_back(static_cast<char>(size >> shift));
    }
    return text;
}
/// As clients send them; the mask is of zeros.
std::string asked(char first, const std::string& payload) {
    return std::string(1, first) + length_of(payload.size(), true) + std::string(4, '\0') + payload;
}
std::string said(char first, const std::string& payload) {
    return std::string(1, first) + length_of(payload.size(), false) + payload;
}

const std::string kAsk = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kAgreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const std::string kUpgrade = "GET /chat @h -> 101";

/// `uncut`: bytes behind the upgrade that may not be lost. A client's last message before the answer is not missed: the gap is
/// told with its next bytes, when the turn is over.
Case behind_upgrade(const char* name, std::vector<Step> steps, std::vector<std::string> expected, std::size_t uncut = 0) {
    steps.insert(steps.begin(), {client(kAsk), server(kAgreed)});
    expected.insert(expected.begin(), kUpgrade);
    return {name, std::move(steps), std::move(expected), Closes::no, true, kAsk.size() + kAgreed.size() + uncut};
}

const std::string kTurn = "MESSAGE /chat @h [5] -> body=3 {websocket.messages=1}";

const Case kCases[] = {
    behind_upgrade("a message and its answer", {client(asked(kText, "hello")), server(said(kText, "yes"))}, {kTurn}),
    behind_upgrade("a second turn",
                   {client(asked(kText, "hello")), server(said(kText, "yes")), client(asked(kBinary, "hello")),
                    server(said(kBinary, "yes"))},
                   {kTurn, kTurn}),
    behind_upgrade("several messages until the answer are one turn",
                   {client(asked(kText, "hello")), client(asked(kText, "you")), server(said(kText, "yes"))},
                   {"MESSAGE /chat @h [8] -> body=3 {websocket.messages=2}"},
                   asked(kText, "hello").size() + asked(kText, "you").size()),
    behind_upgrade("what the server sends beyond its answer answers nothing",
                   {client(asked(kText, "hello")), server(said(kText, "yes") + said(kText, "news")), server(said(kText, "news")),
                    client(asked(kText, "hello")), server(said(kText, "yes"))},
                   {kTurn, "MESSAGE /chat @h [5] -> body=3 {websocket.messages=1, websocket.pushed=2}"}),
    behind_upgrade("fragments, with a ping between them",
                   {client(asked(kBegin, "he") + asked(kPing, "x") + asked(kGoesOn, "l") + asked(kEnd, "lo")),
                    server(said(kPong, "x")), server(said(kBegin, "y") + said(kEnd, "es"))},
                   {kTurn}),
    behind_upgrade("an empty message, and a compressed one", {client(asked(kText, "")), server(said(kDeflated, "yes"))},
                   {"MESSAGE /chat @h -> body=3 {websocket.messages=1}"}),
    behind_upgrade("lengths of 16 and 64 bits",
                   {client(asked(kBinary, std::string(300, 'a'))), server(said(kBinary, std::string(66000, 'b')))},
                   {"MESSAGE /chat @h [300] -> body=66000 {websocket.messages=1}"}),
};

class WebSocketCase : public ::testing::TestWithParam<Case> {};
TEST_P(WebSocketCase, InEveryWay) {
    run_case(GetParam(), http1::make, {client(asked(kText, "probe")), server(said(kText, "seen"))});
}
INSTANTIATE_TEST_SUITE_P(Cases, WebSocketCase, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return "Number" + std::to_string(info.index); });

TEST(WebSocket, ABodyThatWasNotCapturedIsSkippedByItsLength) {
    const auto parser = http1::make();
    Recorder seen;
    std::uint64_t at[2] = {};
    const auto give = [&](Direction direction, const std::string& bytes) {
        std::uint64_t& position = at[static_cast<int>(direction)];
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), true}, seen);
        position += bytes.size();
    };
    give(Direction::request, kAsk);
    give(Direction::response, kAgreed);
    give(Direction::request, asked(kText, "hello"));
    give(Direction::response, std::string(1, kBinary) + length_of(std::size_t{1} << 26, false));
    std::uint64_t& position = at[1];
    parser->gap(Direction::response, position, position + (1 << 26), seen);
    position += 1 << 26;
    ASSERT_EQ(seen.exchanges.size(), 2U);
    EXPECT_TRUE(seen.exchanges[1].response_end.complete);
    EXPECT_EQ(seen.exchanges[1].response_end.body_bytes, std::uint64_t{1} << 26);
    EXPECT_EQ(seen.losses, 0);
}

}  // namespace
}  // namespace timesink::proto::test
