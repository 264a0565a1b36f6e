#include "net/tls_layer.hpp"

#include <gmock/gmock.h>

#include <string>

namespace timesink::net {
namespace {

constexpr std::uint16_t kAes128 = 0x1301;  // 22 bytes beside each record's plaintext
constexpr std::uint64_t kOver = 22;

Instant us(std::int64_t at) {
    return Instant(std::chrono::microseconds(at));
}

event::Call call(std::int64_t at, std::uint64_t begin, std::uint64_t length) {
    event::Call made{};
    made.entered = us(at);
    made.exited = us(at + 1);
    made.thread = ThreadId{7};
    made.stream_begin = begin;
    made.result = static_cast<std::int64_t>(length);
    return made;
}

event::Plaintext plain(std::uint64_t length, std::uint64_t buffer = 0x1000, std::string_view head = {}) {
    event::Plaintext made{};
    made.library = 5;
    made.buffer = buffer;
    made.length = length;
    made.head = std::as_bytes(std::span(head.data(), head.size()));
    return made;
}

class TlsLayerTest : public ::testing::Test {
protected:
    /// "begin-end/length@entered" of what a call of so much ciphertext sent, and what is left.
    std::string written(std::int64_t at, std::uint64_t length) {
        std::uint64_t rest = 0;
        const auto sent = layer_.written(call(at, 0, length), rest);
        return text(sent) + (rest > 0 ? " +" + std::to_string(rest) : "");
    }
    static std::string text(const std::vector<TlsLayer::Sent>& sent) {
        std::string line;
        for (const auto& piece : sent) {
            line += (line.empty() ? "" : " ") + std::to_string(piece.begin) + "-" + std::to_string(piece.end) + "/" +
                    std::to_string(piece.length) + "@" + (piece.known ? std::to_string(to_ns(piece.entered) / 1000) : "?");
        }
        return line;
    }
    TlsLayer layer_{0, {}, kAes128};
};

TEST_F(TlsLayerTest, WhatWasGivenIsSentByTheNextCall) {
    layer_.given(plain(100));
    EXPECT_EQ(written(5, 100 + kOver), "0-100/100@5");
    EXPECT_EQ(written(6, 24), " +24");  // an alert of the library's own
}

TEST_F(TlsLayerTest, OneCallMaySendSeveralAndSeveralCallsOne) {
    layer_.given(plain(100));
    layer_.given(plain(200, 0x9000));
    EXPECT_EQ(written(5, 300 + 2 * kOver), "0-100/100@5 0-200/200@5");
    layer_.given(plain(32768));
    EXPECT_EQ(written(6, 16384 + kOver), "0-16384/32768@6");
    EXPECT_EQ(written(7, 16384 + kOver), "16384-32768/32768@7");
}

TEST_F(TlsLayerTest, PiecesGoWithTheBytesThatTheyAreOf) {
    layer_.given(plain(32768),
                 {{16000, std::vector<std::byte>(1000, std::byte{'a'}), 7, 0}, {20000, std::vector<std::byte>(10), 8, 0}});
    std::uint64_t rest = 0;
    const auto first = layer_.written(call(5, 0, 16384 + kOver), rest);
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(first[0].pieces.size(), 1U);
    EXPECT_EQ(first[0].pieces[0].position, 16000U);
    EXPECT_EQ(first[0].pieces[0].bytes.size(), 384U);
    const auto second = layer_.written(call(6, 0, 16384 + kOver), rest);
    ASSERT_EQ(second.size(), 1U);
    ASSERT_EQ(second[0].pieces.size(), 2U);
    EXPECT_EQ(second[0].pieces[0].position, 16384U);
    EXPECT_EQ(second[0].pieces[0].bytes.size(), 616U);
    EXPECT_EQ(second[0].pieces[0].offset, 384U);
    EXPECT_EQ(second[0].pieces[1].number, 8U);
}

TEST_F(TlsLayerTest, TheSameCallMadeAgainGivesNothingNew) {
    layer_.given(plain(1000));
    EXPECT_EQ(written(5, 511), "0-500/1000@5");
    layer_.given(plain(1000));
    layer_.given(plain(400, 0x1000 + 600));  // the rest of it (SSL_MODE_ENABLE_PARTIAL_WRITE)
    EXPECT_EQ(written(6, 511), "500-1000/1000@6");
    layer_.given(plain(50, 0x7000));
    EXPECT_EQ(written(7, 50 + kOver), "0-50/50@7");
}

TEST_F(TlsLayerTest, TheSameBytesGivenTwiceAreTwiceWhenTheyAreSentTwice) {
    layer_.given(plain(1000));
    layer_.given(plain(1000));
    EXPECT_EQ(written(5, 2 * (1000 + kOver)), "0-1000/1000@5 0-1000/1000@5");
}

TEST_F(TlsLayerTest, WhatLostCallsSentHasNoTimes) {
    layer_.given(plain(100));
    EXPECT_EQ(text(layer_.missed(100 + kOver)), "0-100/100@?");
}

TEST_F(TlsLayerTest, AnAnswerProvesThatAllWasSent) {
    layer_.given(plain(100));
    EXPECT_EQ(written(5, 110), "0-90/100@5");  // less overhead than reckoned
    EXPECT_EQ(text(layer_.answered()), "90-100/100@5");
}

TEST_F(TlsLayerTest, WhatIsDecryptedHasTheTimesOfTheLastByteThatItNeeded) {
    layer_.read_times().arrived(5, us(10));
    layer_.read_times().arrived(1000 + kOver, us(20));
    layer_.read(call(30, 0, 5));
    layer_.read(call(31, 5, 1000 + kOver - 5));
    const Moment moment = layer_.decrypted(1000);
    EXPECT_TRUE(moment.arrival_known);
    EXPECT_EQ(moment.arrived, us(20));
    EXPECT_EQ(moment.entered, us(31));
}

TEST_F(TlsLayerTest, WhatHadArrivedBeforeTheFirstRequestIsNoAnswerThoughReadWithIt) {
    for (const bool asks_first : {false, true}) {
        TlsLayer layer{0, {}, kAes128};
        if (asks_first) {
            layer.asks_first();
        }
        layer.read_times().arrived(250, us(10));  // tickets
        std::uint64_t rest = 0;
        layer.given(plain(80));
        EXPECT_EQ(layer.written(call(20, 0, 80 + kOver), rest).size(), 1U);
        layer.read_times().arrived(500, us(22));
        layer.given(plain(80, 0x9000));  // the request's body
        EXPECT_EQ(layer.written(call(25, 0, 80 + kOver), rest).size(), 1U);
        layer.read_times().arrived(500 + 100 + kOver, us(50));
        layer.read(call(60, 0, 500 + 100 + kOver));
        EXPECT_EQ(layer.decrypted(100).arrived, us(asks_first ? 50 : 10));
        // Only the first one's: what comes before later ones may be an answer that nobody has read yet.
        layer.read_times().arrived(800, us(70));
        layer.given(plain(80));
        EXPECT_EQ(layer.written(call(80, 0, 80 + kOver), rest).size(), 1U);
        layer.read(call(90, 622, 178));
        EXPECT_EQ(layer.decrypted(20).arrived, us(70));
    }
}

TEST_F(TlsLayerTest, SeveralRecordsOfOneReadHaveTheirOwnArrivals) {
    layer_.read_times().arrived(16384 + kOver, us(10));
    layer_.read_times().arrived(2 * (16384 + kOver), us(20));
    layer_.read(call(30, 0, 2 * (16384 + kOver)));
    EXPECT_EQ(layer_.decrypted(16384).arrived, us(10));
    EXPECT_EQ(layer_.decrypted(16384).arrived, us(20));
}

}  // namespace
}  // namespace timesink::net
