#include "proto/redis/redis.hpp"

#include <gmock/gmock.h>

#include "proto/redis/sha1.hpp"
#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
std::string array(const std::vector<std::string>& words, char type = '*') {
    std::string out = type + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
        out += bulk(word);
    }
    return out;
}
std::string command(const std::vector<std::string>& words) {
    return array(words);
}

const std::vector<Step> kProbe = {client(command({"GET", "probe"})), server("$5\r\nprobe\r\n")};
// As long as the mark is that takes its place in a recording.
const std::string kScript = "return redis.call('GET', KEYS[1]) -- of a length that holds a digest";
const std::string kSha = "3d99e8a53e473bc5854a892860005901b0ddc6cf";

/// A script by its digest, with these keys of a queue, and what it is told beside them.
std::string script(const std::vector<std::string>& keys, const std::vector<std::string>& told,
                   const std::string& queue = "bull:mail") {
    std::vector<std::string> words = {"EVALSHA", kSha, std::to_string(keys.size())};
    for (const std::string& key : keys) {
        words.push_back(queue + ":" + key);
    }
    words.insert(words.end(), told.begin(), told.end());
    return command(words);
}
const std::vector<std::string> kTake = {"wait",    "active", "prioritized", "events", "stalled", "limiter",
                                        "delayed", "paused", "meta",        "pc",     "marker"};
const std::vector<std::string> kAdd = {"wait", "paused", "meta", "id", "completed", "delayed", "active", "events", "marker"};
std::string adds(const std::string& queue) {
    return "EVALSHA EVALSHA {redis.key=bull:" + queue + ":wait, redis.script=" + kSha + ", messaging.destination.name=" + queue +
           ", messaging.operation.type=send}";
}
std::vector<std::string> finish(const std::string& how, const std::string& job) {
    std::vector<std::string> keys(kTake.begin(), kTake.end() - 1);
    keys.insert(keys.end(), {how, job, "metrics:" + how, "marker"});
    return keys;
}
std::string job(const std::string& name, const std::string& id) {
    return "*4\r\n" + array({"name", name, "data", "{\"to\":\"jane\"}", "timestamp", "1700000000000"}) + bulk(id) +
           ":0\r\n:0\r\n";
}

const Case kCases[] = {
    {"a job is added, taken and settled; the next one comes with the answer",
     {client(script(kAdd, {"packed"})), server(bulk("17")), client(script(kTake, {"bull:mail:", "1700000000000", "packed"})),
      server(job("welcome", "17")), client(script(finish("completed", "17"), {"17", "x"})), server(job("farewell", "18")),
      client(script(finish("failed", "18"), {"18", "x"})), server(":0\r\n")},
     {"EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha +
          ", messaging.destination.name=mail, messaging.operation.type=send} [287] -> body=8 {messaging.answered.id=17}",
      "EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha +
          ", messaging.destination.name=mail, messaging.operation.type=receive} [375] -> body=112 {messaging.answered.id=17, "
          "messaging.answered.name=welcome}",
      "EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha +
          ", messaging.message.id=17, messaging.destination.name=mail, messaging.operation.type=settle} [420] -> body=113 "
          "{messaging.answered.id=18, messaging.answered.name=farewell}",
      "EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha +
          ", messaging.message.id=18, messaging.settled=failed, messaging.destination.name=mail, "
          "messaging.operation.type=settle} [414] -> body=4"}},
    {"a job is put back, its lock renewed; a worker waits for the next",
     {client(script({"active", "wait", "paused", "9", "meta", "events", "delayed", "prioritized", "pc", "marker", "stalled"},
                    {"x"}, "{app}:q") +
             script({"9:lock", "stalled"}, {"token"}) + command({"BZPOPMIN", "bull:mail:marker", "10"})),
      server(":0\r\n:1\r\n*-1\r\n")},
     {"EVALSHA EVALSHA {redis.key={app}:q:active, redis.script=" + kSha +
          ", messaging.message.id=9, messaging.settled=put back, messaging.destination.name={app}:q, "
          "messaging.operation.type=settle} [304] -> body=4",
      "EVALSHA EVALSHA (housekeeping) {redis.key=bull:mail:9:lock, redis.script=" + kSha + "} [129] -> body=4",
      "BZPOPMIN BZPOPMIN {redis.key=bull:mail:marker, redis.blocking=1, messaging.destination.name=mail, "
      "messaging.operation.type=receive} [49] -> body=5"}},
    {"the same by Bull",
     {client(script({"wait", "paused", "meta-paused", "id", "delayed", "priority"}, {"x"}, "bull:q") +
             command({"BRPOPLPUSH", "bull:q:wait", "bull:q:active", "5"}) +
             script({"active", "completed", "5", "wait", "priority", "active", "delayed", "stalled"}, {"5"}, "bull:q")),
      server(":5\r\n" + bulk("5") + job("welcome", "6"))},
     {"EVALSHA EVALSHA {redis.key=bull:q:wait, redis.script=" + kSha +
          ", messaging.destination.name=q, messaging.operation.type=send} [200] -> body=4",
      "BRPOPLPUSH BRPOPLPUSH {redis.key=bull:q:wait, redis.blocking=1, messaging.destination.name=q, "
      "messaging.operation.type=receive} [66] -> body=7",
      "EVALSHA EVALSHA {redis.key=bull:q:active, redis.script=" + kSha +
          ", messaging.message.id=5, messaging.destination.name=q, messaging.operation.type=settle} [238] -> body=111 "
          "{messaging.answered.id=6, messaging.answered.name=welcome}"}},
    {"a string is no job, but where one was added",
     {client(script(finish("completed", "3"), {"x"})), server(bulk("jane"))},
     {"EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha +
      ", messaging.message.id=3, messaging.destination.name=mail, messaging.operation.type=settle} [411] -> body=10"}},
    {"jobs that a transaction adds have their ids in its reply",
     {client(command({"MULTI"}) + script(kAdd, {"packed"}) + command({"HSET", "bull:mail:x", "f", "v"}) +
             script(kAdd, {"packed"}, "bull:sms") + script(kAdd, {"packed"}) + command({"EXEC"})),
      server("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n" + bulk("17") + ":1\r\n" + bulk("4") + "-ERR full\r\n"),
      client(command({"EXEC"})), server("-ERR EXEC without MULTI\r\n")},
     {"MULTI MULTI [15] -> body=5", adds("mail") + " [287] -> body=9 {redis.queued=1}",
      "HSET HSET {redis.key=bull:mail:x} [46] -> body=9 {redis.queued=1}", adds("sms") + " [278] -> body=9 {redis.queued=1}",
      adds("mail") + " [287] -> body=9 {redis.queued=1}",
      "EXEC EXEC {messaging.destination.name=mail, messaging.operation.type=send} [14] -> body=34 "
      "{messaging.destination.name=mail, messaging.answered.id=17, messaging.destination.name=sms, messaging.answered.id=4}",
      "EXEC EXEC [14] -> ERR body=25"}},
    {"a transaction that is given up adds nothing; one without jobs is none of a queue's",
     {client(command({"MULTI"}) + script(kAdd, {"packed"}) + command({"DISCARD"}) + command({"MULTI"}) + command({"GET", "a"}) +
             command({"EXEC"})),
      server("+OK\r\n+QUEUED\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n" + bulk("17"))},
     {"MULTI MULTI [15] -> body=5", adds("mail") + " [287] -> body=9 {redis.queued=1}", "DISCARD DISCARD [17] -> body=5",
      "MULTI MULTI [15] -> body=5", "GET GET {redis.key=a} [20] -> body=9 {redis.queued=1}", "EXEC EXEC [14] -> body=12"}},
    {"a transaction that was aborted, as a key that it watched has changed",
     {client(command({"MULTI"}) + script(kAdd, {"packed"}) + command({"EXEC"})), server("+OK\r\n+QUEUED\r\n*-1\r\n")},
     {"MULTI MULTI [15] -> body=5", adds("mail") + " [287] -> body=9 {redis.queued=1}",
      "EXEC EXEC {messaging.destination.name=mail, messaging.operation.type=send} [14] -> body=5"}},
    {"a script that only happens to have keys is no queue's",
     {client(script({"1", "2"}, {"x"}, "user") + script({"wait", "here"}, {})),
      server(":1\r\n*2\r\n" + array({"name", "a"}) + bulk("7"))},
     {"EVALSHA EVALSHA {redis.key=user:1, redis.script=" + kSha + "} [102] -> body=4",
      "EVALSHA EVALSHA {redis.key=bull:mail:wait, redis.script=" + kSha + "} [113] -> body=32"}},
    {"a command and its reply",
     {client(command({"get", "user:1"})), server(bulk("x"))},
     {"GET GET {redis.key=user:1} [25] -> body=7"}},
    {"a pipeline is answered in order",
     {client(command({"SET", "a", "1"}) + command({"INCR", "n"}) + command({"GET", "gone"})), server("+OK\r\n:42\r\n$-1\r\n")},
     {"SET SET {redis.key=a} [27] -> body=5", "INCR INCR {redis.key=n} [21] -> body=5",
      "GET GET {redis.key=gone} [23] -> body=5"}},
    {"errors give their prefix",
     {client(command({"LPUSH", "a", "1"}) + command({"GET", "b"}) + command({"NOPE"})),
      server("-WRONGTYPE Operation against a key\r\n-MOVED 3999 127.0.0.1:6381\r\n!13\r\nERR something\r\n")},
     {"LPUSH LPUSH {redis.key=a} [29] -> WRONGTYPE body=36", "GET GET {redis.key=b} [20] -> MOVED body=28",
      "NOPE NOPE [14] -> ERR body=20"}},
    {"every type of RESP3, nested",
     {client(command({"HGETALL", "h"})),
      server("%3\r\n+a\r\n~2\r\n#t\r\n_\r\n:1\r\n*2\r\n,1.5\r\n(12345678901234567890\r\n=7\r\ntxt:abc\r\n*0\r\n")},
     {"HGETALL HGETALL {redis.key=h} [24] -> body=73"}},
    {"attributes ahead of a reply and within it",
     {client(command({"GET", "a"})), server("|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+x\r\n*1\r\n:1\r\n+one\r\n+two\r\n")},
     {"GET GET {redis.key=a} [20] -> body=49"}},
    {"streamed strings and aggregates",
     {client(command({"GET", "a"}) + command({"GET", "b"})),
      server("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n*?\r\n:1\r\n%?\r\n+k\r\n+v\r\n.\r\n.\r\n")},
     {"GET GET {redis.key=a} [20] -> body=25", "GET GET {redis.key=b} [20] -> body=26"}},
    {"inline commands",
     {client("PING\r\n\r\nGET  a\r\n"), server("+PONG\r\n"), server("$-1\r\n")},
     {"PING PING (housekeeping) [6] -> body=7", "GET GET {redis.key=a} [8] -> body=5"}},
    {"a transaction: each command is queued, EXEC brings the results",
     {client(command({"MULTI"}) + command({"SET", "a", "1"}) + command({"EXEC"})), server("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")},
     {"MULTI MULTI [15] -> body=5", "SET SET {redis.key=a} [27] -> body=9 {redis.queued=1}", "EXEC EXEC [14] -> body=9"}},
    {"subscriptions: confirmations answer, messages do not",
     {client(command({"SUBSCRIBE", "c1", "c2"})),
      server("*3\r\n$9\r\nsubscribe\r\n$2\r\nc1\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$2\r\nc2\r\n:2\r\n"),
      server(array({"message", "c1", "hello"})), client(command({"PING"})),
      server(array({"message", "c2", "x"}) + array({"pong", ""}))},
     {"SUBSCRIBE SUBSCRIBE [35] -> body=62", "PING PING (housekeeping) [14] -> body=20"}},
    {"when nothing is subscribed any more, a list may begin with the word message",
     {client(command({"SUBSCRIBE", "c"})), server("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"), client(command({"UNSUBSCRIBE"})),
      server("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n"), client(command({"LRANGE", "l", "0", "1"})),
      server(array({"message", "a", "b"}))},
     {"SUBSCRIBE SUBSCRIBE [26] -> body=30", "UNSUBSCRIBE UNSUBSCRIBE [22] -> body=33",
      "LRANGE LRANGE {redis.key=l} [37] -> body=31"}},
    {"pushes of RESP3 answer nothing, except confirmations",
     {client(command({"HELLO", "3", "AUTH", "default", "secret"})), server("%1\r\n$5\r\nproto\r\n:3\r\n"),
      client(command({"SUBSCRIBE", "c"}) + command({"GET", "a"})),
      server(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$"
             "1\r\nc\r\n$1\r\nm\r\n$1\r\nv\r\n")},
     {"HELLO HELLO (housekeeping) [57] -> body=19", "SUBSCRIBE SUBSCRIBE [26] -> body=30",
      "GET GET {redis.key=a} [20] -> body=7"}},
    {"a monitor's lines answer nothing",
     {client(command({"MONITOR"})), server("+OK\r\n+1700000000.1 [0 127.0.0.1:1] \"GET\" \"a\"\r\n"), client(command({"QUIT"})),
      server("+1700000000.2 [0 127.0.0.1:1] \"QUIT\"\r\n+OK\r\n")},
     {"MONITOR MONITOR [17] -> body=5", "QUIT QUIT (housekeeping) [14] -> body=5"}},
    {"CLIENT REPLY: no replies to what is said between OFF and ON, or after SKIP",
     {client(command({"CLIENT", "REPLY", "OFF"}) + command({"SET", "a", "1"}) + command({"CLIENT", "REPLY", "ON"}) +
             command({"CLIENT", "REPLY", "SKIP"}) + command({"SET", "b", "1"}) + command({"GET", "a"})),
      server("+OK\r\n$1\r\n1\r\n")},
     {"CLIENT REPLY CLIENT REPLY (housekeeping) (one way) [36]", "SET SET (one way) {redis.key=a} [27]",
      "CLIENT REPLY CLIENT REPLY (housekeeping) [35] -> body=5", "CLIENT REPLY CLIENT REPLY (housekeeping) (one way) [37]",
      "SET SET (one way) {redis.key=b} [27]", "GET GET {redis.key=a} [20] -> body=7"}},
    {"subcommands belong to the operation; secrets are not kept",
     {client(command({"client", "setinfo", "LIB-NAME", "x"}) + command({"AUTH", "user", "secret"}) +
             command({"XGROUP", "CREATE", "s", "g", "$"})),
      server("+OK\r\n+OK\r\n+OK\r\n")},
     {"CLIENT SETINFO CLIENT SETINFO (housekeeping) [50] -> body=5", "AUTH AUTH (housekeeping) [36] -> body=5",
      "XGROUP CREATE XGROUP CREATE {redis.key=s} [49] -> body=5"}},
    {"blocking commands say so",
     {client(command({"BLPOP", "q", "0"}) + command({"XREAD", "BLOCK", "5", "STREAMS", "s", "0"}) +
             command({"XREAD", "STREAMS", "s", "0"})),
      server("*2\r\n$1\r\nq\r\n$1\r\nx\r\n*-1\r\n_\r\n")},
     {"BLPOP BLPOP {redis.key=q, redis.blocking=1} [29] -> body=18", "XREAD XREAD {redis.key=s, redis.blocking=1} [60] -> body=5",
      "XREAD XREAD {redis.key=s} [42] -> body=3"}},
    {"a script has the same name by its text and by its hash",
     {client(command({"EVAL", kScript, "0"}) + command({"EVALSHA", kSha, "1", "k", "v"})), server(":1\r\n:1\r\n")},
     {"EVAL EVAL {redis.script=" + kSha + "} [96] -> body=4",
      "EVALSHA EVALSHA {redis.key=k, redis.script=" + kSha + "} [85] -> body=4"}},
    {"replication ends the protocol",
     {client(command({"PSYNC", "?", "-1"})), server("+FULLRESYNC abc 0\r\n$5\r\nREDIS")},
     {"PSYNC PSYNC [30] -> body=19", "=> redis-replication"}},
    {"a reply to a command older than the attach is nobody's",
     {server("+OK\r\n"), client(command({"GET", "a"})), server(bulk("x"))},
     {"GET GET {redis.key=a} [20] -> body=7", "nobody -> body=5"}},
    {"a command asked while a reply to nobody goes on is not answered by it",
     {server("$5\r\nhe"), client(command({"GET", "a"})), server("llo\r\n"), server(bulk("x"))},
     {"GET GET {redis.key=a} [20] -> body=7", "nobody -> body=11"}},
    {"a client that was seen not to take turns is never paired by turns",
     {client(command({"GET", "a"})), client(command({"GET", "b"})), server("$1\r\na\r\n"), client(command({"GET", "c"})),
      server("$1\r\nb\r\n$1\r\nc\r\n"), client(command({"GET", "d"})), client(command({"GET", "e"})), server("$1\r\nd\r\n"),
      client(command({"GET", "f"})), server("$1\r\ne\r\n$1\r\nf\r\n")},
     {"GET GET {redis.key=a} [20] -> body=7", "GET GET {redis.key=b} [20] -> body=7", "GET GET {redis.key=c} [20] -> body=7",
      "GET GET {redis.key=d} [20] -> body=7", "GET GET {redis.key=e} [20] -> body=7", "GET GET {redis.key=f} [20] -> body=7"},
     Closes::no,
     false,
     81},
    {"a negative length other than null is not followed", {client("*1\r\n$-2\r\n")}, {"not mine"}},
    {"a length of 2^63 is not followed", {client("*1\r\n$9223372036854775808\r\n")}, {"not mine"}},
    {"an inline command that is none", {client("\x01\x02hello\r\n")}, {"not mine"}},
};

class RedisCases : public ::testing::TestWithParam<Case> {};
TEST_P(RedisCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), redis::make, kProbe);
}
INSTANTIATE_TEST_SUITE_P(Redis, RedisCases, ::testing::ValuesIn(kCases));

TEST(Redis, DeepNestingIsRefusedWithoutHarm) {
    std::string deep;
    for (int level = 0; level < 100'000; ++level) {
        deep += "*1\r\n";
    }
    const Recorder seen = run_at_once({client(command({"GET", "a"})), server(deep)}, redis::make);
    EXPECT_EQ(seen.losses, 1);
}

TEST(Redis, AThousandPipelinedCommandsAreAnsweredInOrder) {
    std::string commands;
    std::string replies;
    for (int i = 0; i < 1000; ++i) {
        commands += command({"GET", std::to_string(i)});
        replies += bulk(std::string(static_cast<std::size_t>(i), 'x'));
    }
    const Recorder seen = run_at_once({client(commands), server(replies)}, redis::make);
    ASSERT_EQ(seen.exchanges.size(), 1000U);
    for (std::size_t i = 0; i < 1000; ++i) {
        EXPECT_EQ(seen.exchanges[i].response_end.body_bytes, bulk(std::string(i, 'x')).size());
    }
}

class Connection {
public:
    void give(Direction direction, const std::string& bytes, bool ends_call = true) {
        std::uint64_t& at = at_[static_cast<int>(direction)];
        parser_->parse({direction, at, std::as_bytes(std::span(bytes)), ends_call}, seen);
        at += bytes.size();
    }
    void gap(Direction direction, std::uint64_t length) {
        std::uint64_t& at = at_[static_cast<int>(direction)];
        parser_->gap(direction, at, at + length, seen);
        at += length;
    }
    Recorder seen;

private:
    std::unique_ptr<Parser> parser_ = redis::make();
    std::uint64_t at_[2] = {};
};

TEST(Redis, AValueOf64MbIsSkippedByItsLength) {
    Connection connection;
    connection.give(Direction::request, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$67108864\r\nxxx", false);
    connection.gap(Direction::request, 67108864 - 3);
    connection.give(Direction::request, "\r\n");
    connection.give(Direction::response, "+OK\r\n");
    EXPECT_EQ(connection.seen.losses, 0);
    EXPECT_THAT(connection.seen.lines(), ::testing::ElementsAre("SET SET {redis.key=a} [67108897] -> body=5"));
}

TEST(Redis, AListWhoseMiddleWasNotCapturedEndsWhenItsClientAsksAgain) {
    Connection connection;
    connection.give(Direction::request, command({"LRANGE", "l", "0", "-1"}));
    connection.give(Direction::response, "*1000\r\n$5\r\nhello\r\n$5\r\nwor", false);
    connection.gap(Direction::response, 10000);
    connection.give(Direction::response, "\r\n$5\r\nhello\r\n");
    connection.give(Direction::request, command({"GET", "a"}));
    connection.give(Direction::response, "$1\r\nx\r\n");
    EXPECT_THAT(connection.seen.lines(),
                ::testing::ElementsAre("LRANGE LRANGE {redis.key=l} [38] -> body=10038", "GET GET {redis.key=a} [20] -> body=7"));
}

TEST(Redis, APipelineWithAHiddenMiddleNeverPairsWhatIsBehindIt) {
    Connection connection;
    connection.give(Direction::request, command({"GET", "a"}) + command({"GET", "b"}).substr(0, 3), false);
    connection.gap(Direction::request, 5000);
    connection.give(Direction::request, "\r\n" + command({"GET", "z"}));
    connection.give(Direction::response, "$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nz\r\n");
    connection.give(Direction::request, command({"GET", "next"}));
    connection.give(Direction::response, "$1\r\nn\r\n");
    EXPECT_THAT(connection.seen.lines(),
                ::testing::ElementsAre("GET GET {redis.key=a} [20] -> body=7", "GET GET {redis.key=next} [23] -> body=7",
                                       "nobody -> body=7", "nobody -> body=7", "nobody -> body=7"));
}

TEST(Redis, Sha1IsThatOfTheStandard) {
    redis::Sha1 sha1;
    const std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sha1.add(std::as_bytes(std::span(text)));
    EXPECT_EQ(sha1.hex(), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

}  // namespace
}  // namespace timesink::proto::test
