#include "proto/kafka/kafka.hpp"

#include <gmock/gmock.h>

#include "unit/proto/harness.hpp"

namespace timesink::proto::test {
namespace {

std::string big(std::uint64_t value, int bytes) {
    std::string out;
    for (int at = bytes - 1; at >= 0; --at) {
        out.push_back(at < 8 ? static_cast<char>(value >> (8 * at)) : '\0');
    }
    return out;
}
std::string framed(const std::string& payload) {
    return big(payload.size(), 4) + payload;
}
std::string name(const std::string& text) {
    return big(text.size(), 2) + text;
}
std::string compact(const std::string& text) {
    return big(text.size() + 1, 1) + text;
}
std::string ask(std::uint64_t api, std::uint64_t version, std::uint64_t correlation, const std::string& body) {
    return framed(big(api, 2) + big(version, 2) + big(correlation, 4) + name("shop") + body);
}
std::string answer(std::uint64_t correlation, const std::string& body) {
    return framed(big(correlation, 4) + body);
}
std::string partition(const std::string& records) {
    return big(1, 4) + big(0, 4) + big(records.size(), 4) + records;
}
std::string produce(std::uint64_t correlation, std::uint64_t acks = 0xffff) {
    return ask(0, 7, correlation,
               big(0xffff, 2) + big(acks, 2) + big(1000, 4) + big(2, 4) + name("orders") + partition("records") + name("mails") +
                   partition("r"));
}
std::string produced(std::uint64_t correlation, std::uint64_t error = 0) {
    return answer(correlation, big(1, 4) + name("orders") + big(1, 4) + big(0, 4) + big(error, 2) + big(0, 24) + big(0, 4));
}
std::vector<Step> probe(int round) {
    const auto correlation = static_cast<std::uint64_t>(900 + round);
    return {client(ask(2, 1, correlation, big(0, 8))), server(answer(correlation, big(0, 8)))};
}

const std::string kId = big(0x0123456789abcdef, 8) + big(0xfedcba9876543210, 8);
const std::string kIdDigits = "0123456789abcdeffedcba9876543210";

/// Version 15; `topic`, `forgotten`: ids, or empty.
std::string fetch(std::uint64_t correlation, std::uint64_t epoch, const std::string& topic, const std::string& forgotten) {
    const std::string partition = big(0, 4) + big(0, 4) + big(0, 8) + big(0, 4) + big(0, 8) + big(1000, 4) + big(0, 1);
    return ask(1, 15, correlation,
               big(0, 1) + big(500, 4) + big(1, 4) + big(1000, 4) + big(0, 1) + big(epoch == 0 ? 0 : 5, 4) + big(epoch, 4) +
                   (topic.empty() ? big(1, 1) : big(2, 1) + topic + big(2, 1) + partition + big(0, 1)) +
                   (forgotten.empty() ? big(1, 1) : big(2, 1) + forgotten + big(2, 1) + big(0, 4) + big(0, 1)) + big(1, 1) +
                   big(0, 1));
}

const std::string kProduce =
    "Produce Produce orders, mails {messaging.destination.name=orders, messaging.destination.name=mails} [73]";

const Case kCases[] = {
    {"a produce and its answer", {client(produce(1)), server(produced(1))}, {kProduce + " -> body=54"}},
    {"an error", {client(produce(1)), server(produced(1, 3))}, {kProduce + " -> 3 body=54"}},
    {"nobody waits for acks=0",
     {client(produce(1, 0) + produce(2)), server(produced(2))},
     {"Produce Produce orders, mails (one way) {messaging.destination.name=orders, messaging.destination.name=mails} [73]",
      kProduce + " -> body=54"}},
    {"several in flight",
     {client(produce(7) + produce(8)), server(produced(7) + produced(8, 6))},
     {kProduce + " -> body=54", kProduce + " -> 6 body=54"}},
    {"the compact form",
     {client(ask(0, 9, 1,
                 big(0, 1) + big(0, 1) + big(1, 2) + big(1000, 4) + big(2, 1) + compact("orders") + big(2, 1) + big(0, 4) +
                     compact("records") + big(0, 1) + big(0, 1) + big(0, 1))),
      server(answer(1, big(0, 1) + big(2, 1) + compact("orders") + big(2, 1) + big(0, 4) + big(6, 2) + big(0, 30)))},
     {"Produce Produce orders {messaging.destination.name=orders} [46] -> 6 body=50"}},
    {"a fetch",
     {client(ask(1, 11, 1,
                 big(0xffffffff, 4) + big(500, 4) + big(1, 4) + big(1000, 4) + big(0, 1) + big(0, 8) + big(1, 4) +
                     name("orders") + big(1, 4) + big(0, 4) + big(0, 4) + big(0, 8) + big(0, 8) + big(1000, 4) + big(0, 4) +
                     name(""))),
      server(answer(1, big(0, 4) + big(0, 2) + big(0, 4) + big(0, 4)))},
     {"Fetch Fetch orders {messaging.destination.name=orders} [89] -> body=18"}},
    {"topics by their ids, which Metadata names",
     {client(ask(3, 12, 1, big(0, 1) + big(1, 1) + big(0, 3))),
      server(answer(1, big(0, 1) + big(0, 4) + big(2, 1) + big(1, 4) + compact("localhost") + big(9092, 4) + big(0, 1) +
                           big(0, 1) + compact("cluster") + big(1, 4) + big(2, 1) + big(0, 2) + compact("orders") + kId +
                           big(0, 1) + big(2, 1) + big(0, 2) + big(0, 4) + big(1, 4) + big(0, 4) + big(2, 1) + big(1, 4) +
                           big(2, 1) + big(1, 4) + big(1, 1) + big(0, 1) + big(0, 4) + big(0, 1) + big(0, 1))),
      client(fetch(2, 0, kId, "")), server(answer(2, big(0, 1) + big(0, 4) + big(0, 2) + big(5, 4) + big(1, 1) + big(0, 1)))},
     {"Metadata Metadata (housekeeping) [19] -> body=102 {kafka.topic=" + kIdDigits + "orders}",
      "Fetch Fetch {kafka.topic_id=" + kIdDigits + "} [91] -> body=17"}},
    {"a session's fetches tell what has changed",
     {client(fetch(1, 0, kId, "")), server(answer(1, big(0, 1) + big(0, 4) + big(0, 2) + big(5, 4) + big(1, 1) + big(0, 1))),
      client(fetch(2, 1, "", "")), server(answer(2, big(0, 1) + big(0, 4) + big(0, 2) + big(5, 4) + big(1, 1) + big(0, 1))),
      client(fetch(3, 2, "", kId)), server(answer(3, big(0, 1) + big(0, 4) + big(0, 2) + big(5, 4) + big(1, 1) + big(0, 1)))},
     {"Fetch Fetch {kafka.topic_id=" + kIdDigits + "} [91] -> body=17",
      "Fetch Fetch {kafka.topic_id=" + kIdDigits + "} [40] -> body=17", "Fetch Fetch [62] -> body=17"},
     Closes::no,
     true,
     150},
    {"what drivers ask",
     {client(ask(18, 3, 1, compact("lib") + compact("1") + big(0, 1))), server(answer(1, big(0, 10)))},
     {"ApiVersions ApiVersions (housekeeping) [21] -> body=14"}},
    {"attached before an answer", {server(produced(5)), client(produce(6)), server(produced(6))}, {kProduce + " -> body=54"}},
    {"not Kafka", {client("GET / HTTP/1.1\r\n\r\n")}, {"not mine"}},
};

class KafkaCases : public ::testing::TestWithParam<Case> {};
TEST_P(KafkaCases, AreUnderstoodHoweverTheyArrive) {
    run_case(GetParam(), kafka::make, probe);
}
INSTANTIATE_TEST_SUITE_P(Kafka, KafkaCases, ::testing::ValuesIn(kCases));

}  // namespace
}  // namespace timesink::proto::test
