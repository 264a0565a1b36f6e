#include "proto/kafka/message.hpp"

#include <algorithm>
#include <array>

#include "proto/reader.hpp"

namespace timesink::proto::kafka {
namespace {

constexpr std::uint16_t kProduce = 0;
constexpr std::uint16_t kFlexibleProduce = 9;  // the first version with compact lengths and tagged fields (KIP-482)
constexpr std::uint16_t kFlexibleFetch = 12;
constexpr std::uint16_t kNamelessTopics = 13;  // of both
constexpr std::uint16_t kMetadataWithIds = 10;
constexpr std::uint16_t kSessions = 7;  // of Fetch
constexpr std::size_t kMostTopics = 4;
constexpr std::size_t kMostNames = 256;
constexpr std::uint16_t kLastVersion = 20;

/// Names by api key; an empty one is of brokers among themselves, or not known.
constexpr std::array<std::string_view, 76> kNames = {"Produce",
                                                     "Fetch",
                                                     "ListOffsets",
                                                     "Metadata",
                                                     "",
                                                     "",
                                                     "",
                                                     "",
                                                     "OffsetCommit",
                                                     "OffsetFetch",
                                                     "FindCoordinator",
                                                     "JoinGroup",
                                                     "Heartbeat",
                                                     "LeaveGroup",
                                                     "SyncGroup",
                                                     "DescribeGroups",
                                                     "ListGroups",
                                                     "SaslHandshake",
                                                     "ApiVersions",
                                                     "CreateTopics",
                                                     "DeleteTopics",
                                                     "DeleteRecords",
                                                     "InitProducerId",
                                                     "OffsetForLeaderEpoch",
                                                     "AddPartitionsToTxn",
                                                     "AddOffsetsToTxn",
                                                     "EndTxn",
                                                     "",
                                                     "TxnOffsetCommit",
                                                     "DescribeAcls",
                                                     "CreateAcls",
                                                     "DeleteAcls",
                                                     "DescribeConfigs",
                                                     "AlterConfigs",
                                                     "AlterReplicaLogDirs",
                                                     "DescribeLogDirs",
                                                     "SaslAuthenticate",
                                                     "CreatePartitions",
                                                     "CreateDelegationToken",
                                                     "RenewDelegationToken",
                                                     "ExpireDelegationToken",
                                                     "DescribeDelegationToken",
                                                     "DeleteGroups",
                                                     "ElectLeaders",
                                                     "IncrementalAlterConfigs",
                                                     "AlterPartitionReassignments",
                                                     "ListPartitionReassignments",
                                                     "OffsetDelete",
                                                     "DescribeClientQuotas",
                                                     "AlterClientQuotas",
                                                     "DescribeUserScramCredentials",
                                                     "AlterUserScramCredentials",
                                                     "",
                                                     "",
                                                     "",
                                                     "",
                                                     "",
                                                     "UpdateFeatures",
                                                     "",
                                                     "",
                                                     "DescribeCluster",
                                                     "DescribeProducers",
                                                     "",
                                                     "",
                                                     "UnregisterBroker",
                                                     "DescribeTransactions",
                                                     "ListTransactions",
                                                     "",
                                                     "ConsumerGroupHeartbeat",
                                                     "ConsumerGroupDescribe",
                                                     "",
                                                     "GetTelemetrySubscriptions",
                                                     "PushTelemetry",
                                                     "",
                                                     "ListClientMetricsResources",
                                                     "DescribeTopicPartitions"};

/// Lengths and counts: fixed, or in the compact form of flexible versions, where 0 is null and others are one more.
class Fields {
public:
    Fields(std::string_view bytes, bool flexible) : reader_(bytes), flexible_(flexible), told_(bytes.data()) {}

    std::uint64_t variable() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 35; shift += 7) {
            const std::uint64_t byte = reader_.byte();
            value |= (byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) {
                break;
            }
        }
        return value;
    }
    std::string_view text() {
        if (flexible_) {
            const std::uint64_t size = variable();
            return size > 0 ? reader_.take(size - 1) : std::string_view{};
        }
        const std::uint64_t size = reader_.big<2>();
        return size < 0x8000 ? reader_.take(size) : std::string_view{};
    }
    std::uint64_t count() {
        const std::uint64_t number = flexible_ ? variable() : reader_.big<4>();
        return flexible_ ? number - std::min<std::uint64_t>(number, 1) : number < 0x8000'0000 ? number : 0;
    }
    /// What nobody reads: told are the parts ahead of it.
    void skip_bytes() { skip(count()); }
    void skip_text() {
        const std::uint64_t size = flexible_ ? variable() : reader_.big<2>();
        const bool null = flexible_ ? size == 0 : size >= 0x8000;
        skip(null ? 0 : flexible_ ? size - 1 : size);
    }
    /// The parts that were read so far and not skipped.
    Parts parts() {
        tell();
        return std::move(parts_);
    }
    void tags() {
        if (flexible_) {
            for (std::uint64_t left = std::min<std::uint64_t>(variable(), 16); left > 0; --left) {
                (void)variable();
                skip(variable());
            }
        }
    }
    Reader& fixed() { return reader_; }
    [[nodiscard]] bool ok() const { return reader_.ok(); }

private:
    void tell() {
        const char* const at = reader_.at();
        if (at > told_) {
            parts_.emplace_back(told_, static_cast<std::size_t>(at - told_));
            told_ = at;
        }
    }
    void skip(std::uint64_t size) {
        tell();
        (void)reader_.take(size);
        told_ = reader_.at();
    }

    Reader reader_;
    bool flexible_;
    const char* told_;  ///< what is before it has been told, or is to be masked
    Parts parts_;
};

bool is_name(std::string_view topic) {
    return !topic.empty() && topic.size() <= 249 && is_printable(topic);  // the longest that Kafka allows
}

/// Empty: zero, which is nobody's.
std::string take_id(Fields& fields) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::string_view bytes = fields.fixed().take(16);
    std::string id;
    for (const char byte : bytes.find_first_not_of('\0') == std::string_view::npos ? std::string_view{} : bytes) {
        id.push_back(kDigits[static_cast<unsigned char>(byte) >> 4U]);
        id.push_back(kDigits[static_cast<unsigned char>(byte) & 15U]);
    }
    return id;
}

void take_topic(std::uint16_t version, Fields& fields, std::vector<Topic>& topics) {
    Topic topic;
    if (version >= kNamelessTopics) {
        topic.id = take_id(fields);
    } else if (const std::string_view name = fields.text(); is_name(name)) {
        topic.name = name;
    }
    if (fields.ok() && topic != Topic{}) {
        topics.push_back(std::move(topic));
    }
}

void topics_of_produce(std::uint16_t version, Fields& fields, Request& request) {
    if (version >= 3) {
        fields.skip_text();  // transactional id
    }
    const std::uint64_t acks = fields.fixed().big<2>();
    request.answered = acks != 0 || !fields.ok();
    (void)fields.fixed().take(4);  // time-out
    const std::uint64_t count = fields.count();
    for (std::uint64_t topic = 0; topic < std::min<std::uint64_t>(count, kMostTopics) && fields.ok(); ++topic) {
        take_topic(version, fields, request.topics);
        for (std::uint64_t left = fields.count(); left > 0 && fields.ok(); --left) {
            (void)fields.fixed().take(4);
            fields.skip_bytes();
            fields.tags();
        }
        fields.tags();
    }
}

void topics_of_fetch(std::uint16_t version, Fields& fields, Request& request) {
    const std::size_t ahead = (version < 15 ? 4 : 0) + 8 + (version >= 3 ? 4 : 0) + (version >= 4 ? 1 : 0);
    const std::size_t partition = 4 + (version >= 9 ? 4 : 0) + 8 + (version >= 12 ? 4 : 0) + (version >= 5 ? 8 : 0) + 4;
    (void)fields.fixed().take(ahead);
    if (version >= kSessions) {
        (void)fields.fixed().take(4);  // the session
        const std::uint64_t epoch = fields.fixed().big<4>();
        request.goes_on = fields.ok() && epoch > 0 && epoch < 0x8000'0000;
    }
    const std::uint64_t count = fields.count();
    for (std::uint64_t topic = 0; topic < std::min<std::uint64_t>(count, kMostTopics) && fields.ok(); ++topic) {
        take_topic(version, fields, request.topics);
        for (std::uint64_t left = fields.count(); left > 0 && fields.ok(); --left) {
            (void)fields.fixed().take(partition);
            fields.tags();
        }
        fields.tags();
    }
    const std::uint64_t forgotten = version >= kSessions && count <= kMostTopics ? fields.count() : 0;
    for (std::uint64_t topic = 0; topic < std::min<std::uint64_t>(forgotten, kMostTopics) && fields.ok(); ++topic) {
        take_topic(version, fields, request.forgotten);
        for (std::uint64_t left = fields.count(); left > 0 && fields.ok(); --left) {
            (void)fields.fixed().take(4);
        }
        fields.tags();
    }
}

/// Of versions that tell ids.
void topics_of_metadata(Fields& fields, std::vector<Topic>& topics) {
    (void)fields.fixed().take(4);  // throttled for
    for (std::uint64_t brokers = fields.count(); brokers > 0 && fields.ok(); --brokers) {
        (void)fields.fixed().take(4);
        fields.skip_text();            // host
        (void)fields.fixed().take(4);  // port
        fields.skip_text();            // rack
        fields.tags();
    }
    fields.skip_text();            // the cluster
    (void)fields.fixed().take(4);  // its controller
    for (std::uint64_t count = fields.count(); count > 0 && fields.ok() && topics.size() < kMostNames; --count) {
        (void)fields.fixed().take(2);  // error
        const std::string_view name = fields.text();
        Topic topic{is_name(name) ? std::string(name) : std::string(), take_id(fields)};
        if (fields.ok() && !topic.name.empty() && !topic.id.empty()) {
            topics.push_back(std::move(topic));
        }
        (void)fields.fixed().take(1);  // whether it is Kafka's own
        for (std::uint64_t partitions = fields.count(); partitions > 0 && fields.ok(); --partitions) {
            (void)fields.fixed().take(2 + 4 + 4 + 4);
            for (int replicas = 0; replicas < 3; ++replicas) {  // all, in sync, offline
                for (std::uint64_t left = fields.count(); left > 0 && fields.ok(); --left) {
                    (void)fields.fixed().take(4);
                }
            }
            fields.tags();
        }
        (void)fields.fixed().take(4);  // what is allowed
        fields.tags();
    }
}

bool is_flexible(std::uint16_t api, std::uint16_t version) {
    return (api == kProduce && version >= kFlexibleProduce) || (api == kFetch && version >= kFlexibleFetch);
}

}  // namespace

std::string_view api_name(std::uint16_t api) {
    return api < kNames.size() ? kNames[api] : std::string_view{};
}

bool is_housekeeping(std::uint16_t api) {
    constexpr std::array<std::uint16_t, 12> kDrivers = {3, 10, 11, 12, 13, 14, 17, 18, 22, 36, 68, 71};
    return std::find(kDrivers.begin(), kDrivers.end(), api) != kDrivers.end();
}

RequestHeader request_header(std::string_view payload) {
    Reader reader(payload);
    RequestHeader header;
    header.api = static_cast<std::uint16_t>(reader.big<2>());
    header.version = static_cast<std::uint16_t>(reader.big<2>());
    header.correlation = static_cast<std::uint32_t>(reader.big<4>());
    const bool numbers =
        reader.ok() && !api_name(header.api).empty() && header.version <= kLastVersion && header.correlation < 0x8000'0000;
    const std::uint64_t size = reader.big<2>();
    const bool null = size == 0xffff;
    const std::string_view client = null ? std::string_view{} : reader.take_some(size);
    header.client = client;
    header.valid = numbers && (null || size <= 255) && is_printable(client);
    return header;
}

Request request_of(const RequestHeader& header, std::string_view payload) {
    Request request;
    Fields fields(payload, false);
    (void)fields.fixed().take(8);
    (void)fields.text();  // the client's name is never compact
    const bool flexible = is_flexible(header.api, header.version);
    Fields body(fields.fixed().rest(), flexible);
    const char* const body_begin = payload.data() + (payload.size() - fields.fixed().rest().size());
    body.tags();
    if (header.api == kProduce) {
        topics_of_produce(header.version, body, request);
    } else if (header.api == kFetch) {
        topics_of_fetch(header.version, body, request);
    }
    request.parts = body.parts();
    request.parts.emplace_back(payload.data(), static_cast<std::size_t>(body_begin - payload.data()));
    return request;
}

Response response_of(std::uint16_t api, std::uint16_t version, std::string_view payload, bool whole) {
    Response response;
    if (api == kMetadata && version >= kMetadataWithIds) {
        Fields fields(payload, true);
        fields.tags();
        topics_of_metadata(fields, response.topics);
        response.parts = fields.parts();
        return response;
    }
    if (api != kProduce && api != kFetch) {
        return response;
    }
    Fields fields(payload, is_flexible(api, version));
    fields.tags();
    std::uint64_t error = 0;
    if (api == kFetch && version >= 7) {
        (void)fields.fixed().take(4);  // throttled for
        error = fields.fixed().big<2>();
    } else {
        if (api == kFetch && version >= 1) {
            (void)fields.fixed().take(4);
        }
        if (fields.count() > 0) {
            version >= kNamelessTopics ? (void)fields.fixed().take(16) : (void)fields.text();
            if (fields.count() > 0) {
                (void)fields.fixed().take(4);  // the partition
                error = fields.fixed().big<2>();
            }
        }
    }
    response.known = fields.ok() || whole;
    if (fields.ok() && error != 0) {
        response.error = error == 0xffff ? "-1" : std::to_string(error);
    }
    response.parts = fields.parts();
    return response;
}

}  // namespace timesink::proto::kafka
