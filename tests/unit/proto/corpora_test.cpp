#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "proto/amqp/amqp.hpp"
#include "proto/dns/dns.hpp"
#include "proto/fastcgi/fastcgi.hpp"
#include "proto/http1/http1.hpp"
#include "proto/http2/http2.hpp"
#include "proto/kafka/kafka.hpp"
#include "proto/memcached/memcached.hpp"
#include "proto/mongodb/mongodb.hpp"
#include "proto/mysql/mysql.hpp"
#include "proto/postgres/postgres.hpp"
#include "proto/redis/redis.hpp"
#include "proto/tls/tls.hpp"

/// Everything that the fuzzers' seeds say, in every protocol, through every detector.
namespace timesink::proto {
namespace {

using Detect = Match (*)(Direction, std::span<const std::byte>);

struct Said {
    std::string where;
    Direction direction;
    std::string bytes;
};

/// The bytes of a conversation in the form of tests/fuzz/conversation.hpp; those that follow each other in one direction are one.
std::vector<Said> conversation(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(stream), {}};
    std::vector<Said> said;
    bool goes_on = false;
    for (std::size_t at = 0; at < input.size();) {
        const auto order = static_cast<unsigned char>(input[at++]);
        const auto direction = static_cast<Direction>(order >> 2 & 1);
        if ((order & 3) >= 2) {
            goes_on = false;
            continue;
        }
        const std::string bytes = input.substr(at, (order >> 3) * 8 + 1);
        at += bytes.size();
        if (goes_on && said.back().direction == direction) {
            said.back().bytes += bytes;
        } else {
            said.push_back({file.string(), direction, bytes});
        }
        goes_on = true;
    }
    return said;
}

const std::map<std::string, Detect> kCorpora = {
    {"dns", dns::detect},
    {"amqp", amqp::detect},
    {"http1", http1::detect},
    {"fastcgi", fastcgi::detect},
    {"http2", http2::detect},
    {"kafka", kafka::detect},
    {"memcached", memcached::detect},
    {"mongodb", mongodb::detect},
    {"mysql", mysql::detect},
    {"postgres", postgres::detect},
    {"redis", redis::detect},
    {"tls", tls::detect},
    {"dns_stream", dns::detect_stream},
};

TEST(Corpora, NoDetectorTakesWhatAnotherProtocolSays) {
    const auto folder = std::filesystem::path(TIMESINK_TESTS) / "fuzz/corpus";
    std::size_t seen = 0;
    for (const auto& [name, own] : kCorpora) {
        for (const auto& file : std::filesystem::directory_iterator(folder / name)) {
            for (const Said& said : conversation(file.path())) {
                ++seen;
                for (const Protocol& protocol : registry()) {
                    if (protocol.detect != own) {
                        EXPECT_NE(protocol.detect(said.direction, std::as_bytes(std::span(said.bytes))), Match::yes)
                            << said.where << " taken for " << protocol.name;
                    }
                }
            }
        }
    }
    EXPECT_GT(seen, 60U);
}

TEST(Corpora, EveryRegisteredProtocolHasOne) {
    for (const Protocol& protocol : registry()) {
        const bool has =
            std::any_of(kCorpora.begin(), kCorpora.end(), [&](const auto& corpus) { return corpus.second == protocol.detect; });
        EXPECT_TRUE(has) << protocol.name;
    }
}

}  // namespace
}  // namespace timesink::proto
