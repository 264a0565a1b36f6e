#include "proto/mongodb/mongodb.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string int32(std::uint32_t value) {
    std::string out;
    for (const int shift : {0, 8, 16, 24}) {
        out.push_back(static_cast<char>(value >> shift));
    }
    return out;
}
std::string message(std::uint32_t id, std::uint32_t answers, const std::string& sections, std::uint32_t operation = 2013) {
    return int32(static_cast<std::uint32_t>(sections.size()) + 16) + int32(id) + int32(answers) + int32(operation) + sections;
}
std::string document(const std::string& elements) {
    return int32(static_cast<std::uint32_t>(elements.size()) + 5) + elements + '\0';
}
std::string text(const std::string& name, const std::string& value) {
    return '\2' + name + '\0' + int32(static_cast<std::uint32_t>(value.size()) + 1) + value + '\0';
}
std::string nested(const std::string& name, const std::string& value, char type = 3) {
    return type + name + '\0' + value;
}
std::string number(const std::string& name, std::uint32_t value) {
    return '\x10' + name + '\0' + int32(value);
}
std::string ask(std::uint32_t id, const std::string& elements, std::uint32_t flags = 0) {
    return message(id, 0, int32(flags) + '\0' + document(elements));
}
std::string answer(std::uint32_t answers, const std::string& elements, std::uint32_t flags = 0) {
    return message(9000 + answers, answers, int32(flags) + '\0' + document(elements));
}
std::string find(std::uint32_t id, const std::string& collection = "orders") {
    const std::string filter = document(text("status", "secret") + nested("total", document(number("$gt", 7))));
    return ask(id, text("find", collection) + nested("filter", filter) + nested("sort", document(number("at", 1))) +
                       text("$db", "shop"));
}
std::string found(std::uint32_t answers) {
    return answer(answers, nested("cursor", document(nested("firstBatch", document(""), 4))) + number("ok", 1));
}
std::vector<Step> probe(int round) {
    const auto id = static_cast<std::uint32_t>(700 + round);
    return {client(ask(id, text("count", "probe"))), server(answer(id, number("n", 3) + number("ok", 1)))};
}

const std::string kFind =
    "find find orders filter: {status, total: {$gt}} sort: {at} {db.namespace=shop, db.collection.name=orders}";

/// Longer than what is kept of a message.
const std::string kLongReply = answer(1, number("ok", 1) + text("x", std::string(20000, 'x')));

const Case kCases[] = {
    {"a command and its reply", {client(find(1)), server(found(1))}, {kFind + " -> body=48"}},
    {"replies name their requests",
     {client(ask(1, text("insert", "a")) + ask(2, text("insert", "b"))), server(answer(1, number("n", 2) + number("ok", 1))),
      server(answer(2, number("n", 3) + number("ok", 1)))},
     {"insert insert a {db.collection.name=a} -> rows=2 body=25", "insert insert b {db.collection.name=b} -> rows=3 body=25"}},
    {"a refused command",
     {client(ask(1, text("find", "a"))), server(answer(1, number("ok", 0) + text("errmsg", "no") + number("code", 13)))},
     {"find find a {db.collection.name=a} -> 13 body=43"}},
    {"an error of a write",
     {client(ask(1, text("insert", "a"))),
      server(answer(1, number("n", 0) +
                           nested("writeErrors", document(nested("0", document(number("index", 0) + number("code", 11000)))), 4) +
                           number("ok", 1)))},
     {"insert insert a {db.collection.name=a} -> 11000 body=72"}},
    {"an update whose documents stand beside the command",
     {client(message(1, 0,
                     int32(0) + '\0' + document(text("update", "a") + text("$db", "shop")) + '\1' + int32(4 + 8 + 38) +
                         raw("updates\0") + document(nested("q", document(number("_id", 7))) + nested("u", document(""))))),
      server(answer(1, number("n", 1) + number("ok", 1)))},
     {"update update a q: {_id} u: {} {db.namespace=shop, db.collection.name=a} -> rows=1 body=25"}},
    {"a delete whose statements are in the command",
     {client(ask(1, text("delete", "a") +
                        nested("deletes",
                               document(nested("0", document(nested("q", document(number("_id", 7))) + number("limit", 1))) +
                                        nested("1", document(nested("q", document(number("of", 8))) + number("limit", 1)))),
                               4) +
                        text("$db", "shop"))),
      server(answer(1, number("n", 2) + number("ok", 1)))},
     {"delete delete a q: {_id} {db.namespace=shop, db.collection.name=a} -> rows=2 body=25"}},
    {"what is changed where it is found",
     {client(ask(1, text("findAndModify", "a") + nested("query", document(number("_id", 7))) +
                        nested("update", document(nested("$set", document(text("name", "secret")))))))},
     {"findAndModify findAndModify a query: {_id} update: {$set: {name}} {db.collection.name=a}"}},
    {"a pipeline",
     {client(ask(1, text("aggregate", "a") + nested("pipeline",
                                                    document(nested("0", document(nested("$match", document(number("x", 1))))) +
                                                             nested("1", document(number("$limit", 3)))),
                                                    4))),
      server(found(1))},
     {"aggregate aggregate a pipeline: [{$match: {x}}, {$limit}] {db.collection.name=a} -> body=48"}},
    {"nobody waits for an unacknowledged write",
     {client(ask(1, text("insert", "a"), 2) + ask(2, text("insert", "b"))), server(answer(2, number("ok", 1)))},
     {"insert insert a (one way) {db.collection.name=a}", "insert insert b {db.collection.name=b} -> body=18"}},
    {"the greeting of old and new drivers",
     {client(
          message(1, 0, int32(0) + raw("admin.$cmd\0") + int32(0) + int32(0xffffffff) + document(number("ismaster", 1)), 2004)),
      server(message(5, 1, int32(8) + int32(0) + int32(0) + int32(0) + int32(1) + document(number("ok", 1)), 1)),
      client(ask(2, number("hello", 1) + text("$db", "admin"))), server(answer(2, number("ok", 1)))},
     {"ismaster ismaster (housekeeping) {db.namespace=admin} -> body=33",
      "hello hello (housekeeping) {db.namespace=admin} -> body=18"}},
    {"further replies to one request",
     {client(ask(1, number("hello", 1), 1U << 16)), server(answer(1, number("ok", 1), 2)),
      server(message(77, 9001, int32(2) + '\0' + document(number("ok", 1))))},
     {"hello hello (housekeeping) -> body=18"}},
    {"compressed",
     {client(message(1, 0, int32(2013) + int32(100) + "\2xxxxxxxxxxx", 2012)),
      server(message(2, 1, int32(2013) + int32(50) + "\2yyyy", 2012))},
     {" -> body=13"}},
    {"attached before a reply", {server(found(3)), client(find(4)), server(found(4))}, {kFind + " -> body=48"}},
    {"a number that comes again before its reply is over",
     {client(ask(1, number("ping", 1))), server(kLongReply.substr(0, 19000)), client(ask(1, number("ping", 1))),
      server(kLongReply.substr(19000) + answer(1, number("ok", 1)))},
     {"ping ping (housekeeping) -> body=20026", "ping ping (housekeeping) -> body=18"}},
    {"closed in the middle", {client(find(1)), server(found(1).substr(0, 40))}, {kFind}, Closes::by_server},
    {"not MongoDB", {client("GET / HTTP/1.1\r\nHost: h\r\n\r\n")}, {"not mine"}},
};

class MongodbCases : public ::testing::TestWithParam<Case> {};

TEST_P(MongodbCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), mongodb::make, probe);
}
INSTANTIATE_TEST_SUITE_P(Mongodb, MongodbCases, ::testing::ValuesIn(kCases));

TEST(Mongodb, ABigReplyIsSkippedByItsLength) {
    const auto parser = mongodb::make();
    Recorder seen;
    const auto give = [&](Direction direction, std::uint64_t position, const std::string& bytes, bool ends_call) {
        parser->parse({direction, position, std::as_bytes(std::span(bytes)), ends_call}, seen);
    };
    give(Direction::request, 0, find(1), true);
    const std::string batch = nested("cursor", document(nested("firstBatch", document(std::string(100000, '\x0a')), 4)));
    const std::string reply = answer(1, batch + number("ok", 1));
    give(Direction::response, 0, reply.substr(0, 4096), false);
    parser->gap(Direction::response, 4096, reply.size() - 64, seen);
    give(Direction::response, reply.size() - 64, reply.substr(reply.size() - 64), true);
    ASSERT_TRUE(seen.exchanges[0].response_over);
    EXPECT_TRUE(seen.exchanges[0].response_end.complete);
    EXPECT_EQ(seen.losses, 0);
}

}  // namespace
}  // namespace timesink::proto::test
