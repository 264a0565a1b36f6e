#include "report/storage_json.hpp"

#include <algorithm>

namespace timesink::report {

void write_number_or_null(JsonWriter& json, std::string_view name, std::uint32_t number) {
    json.key(name);
    number == 0 ? json.null() : json.number(std::uint64_t{number});
}

void write_storage(JsonWriter& json, const request::Exchange& exchange) {
    json.key("s3");
    if (exchange.storage == nullptr) {
        json.null();
        return;
    }
    const request::StorageCall& call = *exchange.storage;
    json.open('{').member("rpc.system", "aws-api").member("rpc.service", "S3").member("rpc.method", call.operation);
    json.member("http.request.method", call.http_method).member_or_null("aws.s3.bucket", call.bucket);
    json.member_or_null("aws.s3.key", call.key);
    write_number_or_null(json, "aws.s3.part_number", call.part);
    json.member("presigned", call.presigned).member_or_null("error.type", call.error_code).member("size", call.size);
    const Instant last = std::max({exchange.sent_end, exchange.arrived_end, exchange.read_end});
    json.key("bytes_a_second");
    if (call.size > 0 && last > exchange.sent) {
        json.number(static_cast<double>(call.size) * 1e9 / static_cast<double>((last - exchange.sent).count()));
    } else {
        json.null();
    }
    json.close('}');
}

void write_objects(JsonWriter& json, const attribute::Account& account) {
    json.key("objects").open('[');
    for (const attribute::MovedObject& object : account.objects) {
        json.open('{').member("kind", object.kind).member("bytes", object.bytes).member("fetched", object.fetched);
        json.member("stored", object.stored).member("exchanges", std::uint64_t{object.exchanges});
        json.member("on_path_ns", object.on_path).member("hidden_ns", object.hidden).close('}');
    }
    json.close(']');
}

void write_object_sums(JsonWriter& json, const analyze::ObjectSums& objects) {
    json.key("objects").open('{').member("count", objects.count).member("bytes", objects.bytes);
    json.member("fetched", objects.fetched).member("stored", objects.stored).member("on_path_ns", objects.on_path).close('}');
}

void write_rules(JsonWriter& json, const analyze::Coverage& coverage) {
    json.key("rules");
    if (coverage.rules.empty()) {
        json.null();
        return;
    }
    json.open('{').member("file", coverage.rules_file).key("rules").open('[');
    for (const analyze::RuleLine& rule : coverage.rules) {
        json.open('{').member("source_line", std::uint64_t{rule.source_line}).member("bucket", rule.bucket);
        json.member_or_null("line", rule.line).member("calls", rule.calls).member("on_path_ns", rule.on_path).close('}');
    }
    json.close(']').close('}');
}

}  // namespace timesink::report
