#include "attribute/rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace timesink::attribute {

namespace {

constexpr std::array<std::string_view, 6> kDatabases = {"postgresql", "redis", "mysql", "mongodb", "memcached", "sqlite"};
constexpr std::array<std::string_view, 4> kBulkTypes = {"image/", "video/", "audio/", "application/octet-stream"};

bool is_bulk_type(std::string_view type) {
    return std::any_of(kBulkTypes.begin(), kBulkTypes.end(), [&](std::string_view bulk) { return type.starts_with(bulk); });
}

}  // namespace

Bucket bucket_of(const request::Exchange& exchange) {
    if (std::find(kDatabases.begin(), kDatabases.end(), exchange.protocol) != kDatabases.end()) {
        return Bucket::db;
    }
    const bool over_database = std::any_of(exchange.attributes.begin(), exchange.attributes.end(), [](const auto& attribute) {
        return attribute.first == "tls.over" &&
               std::find(kDatabases.begin(), kDatabases.end(), attribute.second) != kDatabases.end();
    });
    if (over_database) {  // encrypted after the database's own greeting
        return Bucket::db;
    }
    const bool bulky = exchange.bytes_in >= kBulkBytes || exchange.bytes_out >= kBulkBytes;
    const bool bulk_type = std::any_of(exchange.attributes.begin(), exchange.attributes.end(), [](const auto& attribute) {
        return attribute.first.ends_with("header.content-type") && is_bulk_type(attribute.second);
    });
    return bulky && bulk_type ? Bucket::transfer : Bucket::provider;
}

ExchangeCauses causes_of(Bucket bucket) {
    switch (bucket) {
        case Bucket::db:
            return {Cause::db_connect, Cause::db_queue, Cause::db_server, Cause::db_result};
        case Bucket::transfer:
            return {Cause::transfer_storage, Cause::transfer_storage, Cause::transfer_storage, Cause::transfer_storage};
        default:
            return {Cause::provider_connect, Cause::provider_queue, Cause::provider_first_byte, Cause::provider_body};
    }
}

}  // namespace timesink::attribute
