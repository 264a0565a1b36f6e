#include <gmock/gmock.h>

#include <random>
#include <string>
#include <string_view>

#include "proto/amqp/amqp.hpp"
#include "proto/dns/dns.hpp"
#include "proto/fastcgi/fastcgi.hpp"
#include "proto/http1/http1.hpp"
#include "proto/http2/http2.hpp"
#include "proto/kafka/kafka.hpp"
#include "proto/memcached/memcached.hpp"
#include "proto/mongodb/mongodb.hpp"
#include "proto/mysql/mysql.hpp"
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
    {"a request of CGI", fastcgi::detect, Direction::request, raw("\1\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\x05\3\0\1\2A12")},
    {"a page of CGI", fastcgi::detect, Direction::response, raw("\1\6\0\1\0\2\6\0\r\nabcdef\1\3\0\1\0\x08\0\0\0\0\0\0\0\0\0\0")},
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
    {"a greeting", mysql::detect, Direction::response,
     raw("\x4a\0\0\0\x0a") + raw("8.0.36\0\x0b\0\0\0") + "abcdefgh" + raw("\0\xff\xff\xff\2\0\xff\xdf\x15") +
         std::string(10, '\0') + raw("ijklmnopqrst\0caching_sha2_password\0")},
    {"a login", mysql::detect, Direction::request,
     raw("\x26\0\0\1\x0d\xa2\x3a\0\0\0\0\1\x2d") + std::string(23, '\0') + raw("root\0\0")},
    {"a query", mysql::detect, Direction::request, raw("\x09\0\0\0\3SELECT 1")},
    {"an execution", mysql::detect, Direction::request, raw("\x0a\0\0\0\x17\1\0\0\0\0\1\0\0\0")},
    {"a ping", mysql::detect, Direction::request, raw("\1\0\0\0\x0e")},
    {"an OK", mysql::detect, Direction::response, raw("\7\0\0\1\0\1\0\2\0\0\0")},
    {"an ERR", mysql::detect, Direction::response, raw("\x0b\0\0\1\xff\x26\4#23000No")},
    {"a result set", mysql::detect, Direction::response,
     raw("\1\0\0\1\1\x18\0\0\2\3def\4shop\1t\1t\1n\1n\x0c\x3f\0\x0b\0\0\0\3\0\0\0\0\0")},
    {"a command", mongodb::detect, Direction::request,
     raw("\x2a\0\0\0\1\0\0\0\0\0\0\0\xdd\7\0\0\0\0\0\0\0\x15\0\0\0\2find\0\2\0\0\0a\0\0")},
    {"a reply", mongodb::detect, Direction::response,
     raw("\x22\0\0\0\7\0\0\0\1\0\0\0\xdd\7\0\0\0\0\0\0\0\x0d\0\0\0\x10ok\0\1\0\0\0\0")},
    {"a greeting of old", mongodb::detect, Direction::request,
     raw("\x34\0\0\0\1\0\0\0\0\0\0\0\xd4\7\0\0\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\5\0\0\0\0")},
    {"a protocol header", amqp::detect, Direction::request, raw("AMQP\0\0\x09\1")},
    {"a heartbeat", amqp::detect, Direction::request, raw("\x08\0\0\0\0\0\0\xce")},
    {"a publish", amqp::detect, Direction::request,
     raw("\1\0\1\0\0\0\x0a\0\x3c\0\x28\0\0\0\1q\0\xce\2\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\1\0\0\xce\3\0\1\0\0\0\1x\xce")},
    {"an ack", amqp::detect, Direction::response, raw("\1\0\1\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\1\0\xce")},
    {"a request", kafka::detect, Direction::request, raw("\0\0\0\x0e\0\3\0\1\0\0\0\7\0\4shop")},
    {"a request's begin", kafka::detect, Direction::request, raw("\0\0\1\0\0\0\0\x09\0\0\0\7\0\x08producer\0\0")},
    {"a get", memcached::detect, Direction::request, "get user:7\r\n"},
    {"a set", memcached::detect, Direction::request, "set user:7 0 60 5\r\nhello\r\n"},
    {"a meta get", memcached::detect, Direction::request, "mg user:7 v t\r\n"},
    {"a value", memcached::detect, Direction::response, "VALUE user:7 0 5\r\nhello\r\nEND\r\n"},
    {"stored", memcached::detect, Direction::response, "STORED\r\n"},
    {"a get in binary", memcached::detect, Direction::request, raw("\x80\0\0\1\0\0\0\0\0\0\0\1") + std::string(12, '\0') + "a"},
    {"a miss in binary", memcached::detect, Direction::response, raw("\x81\0\0\0\0\0\0\1\0\0\0\0") + std::string(12, '\0')},
    {"a question", dns::detect, Direction::request, raw("\x12\x34\1\0\0\1\0\0\0\0\0\0\3api\7example\0\0\1\0\1")},
    {"a question with options", dns::detect, Direction::request,
     raw("\x12\x34\1\x20\0\1\0\0\0\0\0\1\3api\7example\0\0\x1c\0\1\0\0\x29\4\xd0\0\0\0\0\0\0")},
    {"an answer", dns::detect, Direction::response,
     raw("\x12\x34\x81\x80\0\1\0\1\0\0\0\0\3api\7example\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1")},
    {"no such name", dns::detect, Direction::response, raw("\x12\x34\x81\x83\0\1\0\0\0\0\0\0\3api\7example\0\0\1\0\1")},
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

TEST(Detection, AQuestionOfDnsIsNobodyElsesWhateverItsNumber) {
    std::string question = raw("\0\0\1\0\0\1\0\0\0\0\0\0\3api\7example\0\0\1\0\1");
    for (int number = 0; number < 65'536; number += 7) {
        question[0] = static_cast<char>(number >> 8);
        question[1] = static_cast<char>(number);
        for (const Protocol& protocol : registry()) {
            const Match match = protocol.detect(Direction::request, std::as_bytes(std::span(question)));
            EXPECT_EQ(match == Match::yes, protocol.detect == dns::detect) << protocol.name << ": " << number;
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
        "EHLO mail\r\n",
        "put 0 0 60 5\r\nhello\r\n",
        "delete 7\r\n",
        "INSERTED 7\r\n",
        "DELETED\r\n",
        "quit\r\n",
        "NICK me\r\n",
        "220 mail ESMTP\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
        raw("\0\0\0\x23\0\x12\0\4\0\0\0\1"),
        "{\"json\": 1}\n",
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
