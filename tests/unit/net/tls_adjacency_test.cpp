#include "net/tls_adjacency.hpp"

#include <gmock/gmock.h>

#include <string>

namespace timesink::net {
namespace {

class TlsAdjacencyTest : public ::testing::Test {
protected:
    void given(std::uint64_t name, std::uint64_t length, int thread = 7) {
        event::Plaintext plain{};
        plain.thread = ThreadId{static_cast<std::uint32_t>(thread)};
        plain.connection = name;
        plain.length = length;
        found_.given(plain);
    }
    std::uint64_t sent(std::uint64_t socket, std::uint64_t record, int thread = 7, bool may_be = true) {
        std::string head = "\x17\3\3";
        head += static_cast<char>((record - 5) >> 8 & 0xff);
        head += static_cast<char>((record - 5) & 0xff);
        event::Call call{};
        call.thread = ThreadId{static_cast<std::uint32_t>(thread)};
        call.socket = SocketId{socket};
        call.result = static_cast<std::int64_t>(record);
        call.head = std::as_bytes(std::span(head.data(), head.size()));
        return found_.sent(call, may_be);
    }
    TlsAdjacency found_;
};

TEST_F(TlsAdjacencyTest, TwoWritesThatFitProveIt) {
    given(1, 100);
    EXPECT_EQ(sent(5, 122), 0U);
    given(1, 200);
    EXPECT_EQ(sent(5, 222), 1U);
}

TEST_F(TlsAdjacencyTest, OtherSizesProveNothing) {
    for (int round = 0; round < 5; ++round) {
        given(1, 100);
        EXPECT_EQ(sent(5, 123), 0U);
    }
}

TEST_F(TlsAdjacencyTest, AnotherSocketContradictsForGood) {
    given(1, 100);
    EXPECT_EQ(sent(5, 122), 0U);
    for (int round = 0; round < 5; ++round) {
        given(1, 100);
        EXPECT_EQ(sent(6, 122), 0U);
    }
}

TEST_F(TlsAdjacencyTest, BytesGivenForTwoBeforeAnyAreSentCountForNone) {
    for (int round = 0; round < 5; ++round) {
        given(1, 100);
        given(2, 100);
        EXPECT_EQ(sent(5, 122), 0U);
        EXPECT_EQ(sent(6, 122), 0U);
    }
}

TEST_F(TlsAdjacencyTest, OtherThreadsAndConnectionsThatAreKnownAreOutOfTheQuestion) {
    for (int round = 0; round < 5; ++round) {
        given(1, 100);
        EXPECT_EQ(sent(5, 122, 8), 0U);
        EXPECT_EQ(sent(5, 122, 7, false), 0U);
    }
}

}  // namespace
}  // namespace timesink::net
