#include <gmock/gmock.h>

#include <random>
#include <string>
#include <string_view>

#include "proto/http1/http1.hpp"
#include "proto/http2/http2.hpp"
#include "proto/parser.hpp"
#include "proto/postgres/postgres.hpp"
#include "proto/redis/redis.hpp"

namespace timesink::proto {
namespace {

struct Sample {
    const char* name;
    Match (*detect)(Direction, std::span<const std::byte>);  ///< of its protocol
    Direction direction;
    std::string bytes;
};

template <std::size_t size>
std::string raw(const char (&text)[size]) {
    return std::string(text, size - 1);
}

const Sample kSamples[] = {
    {"a request", http1::detect, Direction::request, "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a request, one byte", http1::detect, Direction::request, "G"},
    {"a request of Redis' words", http1::detect, Direction::request, "INFO / HTTP/1.1\r\n\r\n"},
    {"a response", http1::detect, Direction::response, "HTTP/1.0 200 OK\r\n\r\n"},
    {"a start-up packet", postgres::detect, Direction::request, raw("\0\0\0\x10\0\3\0\0user\0a\0\0")},
    {"an SSL request", postgres::detect, Direction::request, raw("\0\0\0\x08\x04\xd2\x16\x2f")},
    {"a query", postgres::detect, Direction::request, raw("Q\0\0\0\x0dSELECT 1\0")},
    {"parse, bind, execute, sync", postgres::detect, Direction::request,
     raw("P\0\0\0\x10\0SELECT 1\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4")},
    {"a result", postgres::detect, Direction::response, raw("C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I")},
    {"a preface", http2::detect, Direction::request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"settings", http2::detect, Direction::response, raw("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64")},
    {"a request in mid-connection", http2::detect, Direction::request, raw("\0\0\4\1\5\0\0\0\x1b\x82\x86\x84\xbe")},
    {"a response in mid-connection", http2::detect, Direction::response, raw("\0\0\1\1\4\0\0\0\x1b\x88\0\0\2\0\1\0\0\0\x1bok")},
    {"a command", redis::detect, Direction::request, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"},
    {"an inline command", redis::detect, Direction::request, "PING\r\n"},
    {"a status", redis::detect, Direction::response, "+OK\r\n"},
    {"a number", redis::detect, Direction::response, ":12\r\n"},
    {"a list", redis::detect, Direction::response, "*1\r\n$1\r\na\r\n"},
    {"an error", redis::detect, Direction::response, "-ERR unknown command\r\n"},
};

TEST(Detection, EveryProtocolKnowsItsOwnBytesAndNoOther) {
    for (const Sample& sample : kSamples) {
        for (const Protocol& protocol : registry()) {
            const Match match = protocol.detect(sample.direction, std::as_bytes(std::span(sample.bytes)));
            if (protocol.detect == sample.detect) {
                EXPECT_NE(match, Match::no) << sample.name;
                EXPECT_TRUE(match == Match::yes || sample.bytes.size() == 1) << sample.name;
            } else {
                EXPECT_NE(match, Match::yes) << sample.name << ", taken for " << protocol.name;
                EXPECT_TRUE(match == Match::no || sample.bytes.size() < 8) << sample.name << ": " << protocol.name;
            }
        }
    }
}

TEST(Detection, AnyBeginOfItsOwnBytesIsNotRefused) {
    for (const Sample& sample : kSamples) {
        for (const Protocol& protocol : registry()) {
            for (std::size_t size = 0; protocol.detect == sample.detect && size <= sample.bytes.size(); ++size) {
                const auto bytes = std::as_bytes(std::span(sample.bytes)).first(size);
                const bool inline_command = sample.bytes == "PING\r\n";
                EXPECT_TRUE(inline_command || protocol.detect(sample.direction, bytes) != Match::no)
                    << sample.name << " at " << size;
            }
        }
    }
}

TEST(Detection, RandomAndForeignBytesAreNobodys) {
    std::mt19937 random(1);
    int taken = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(8 + random() % 64, '\0');
        for (char& byte : bytes) {
            byte = static_cast<char>(random());
        }
        for (const Protocol& protocol : registry()) {
            for (const Direction direction : {Direction::request, Direction::response}) {
                taken += protocol.detect(direction, std::as_bytes(std::span(bytes))) == Match::yes ? 1 : 0;
            }
        }
    }
    EXPECT_EQ(taken, 0);
    const std::string foreign[] = {
        "\x16\x03\x01\x02",
        raw("\x16\x03\x01\0\xa5\1\0\0\xa1\3\3"),
        "EHLO mail\r\n",
        "220 mail ESMTP\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
        raw("\x4a\0\0\0\x0a"
            "8.0.36\0"),
        raw("\0\0\0\x23\0\x12\0\4\0\0\0\1"),
        "{\"json\": 1}\n",
        "get key\r\n",
    };
    for (const std::string& bytes : foreign) {
        for (const Protocol& protocol : registry()) {
            for (const Direction direction : {Direction::request, Direction::response}) {
                EXPECT_NE(protocol.detect(direction, std::as_bytes(std::span(bytes))), Match::yes)
                    << protocol.name << ": " << bytes;
            }
        }
    }
}

}  // namespace
}  // namespace timesink::proto
