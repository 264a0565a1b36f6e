#include "attribute/account.hpp"

namespace timesink::attribute {

namespace {

struct CauseEntry {
    Cause cause;
    Bucket bucket;
    std::string_view name;
};

/// In the order of the enumeration: the names are part of the JSON and JSONL formats, they never change.
constexpr std::array<CauseEntry, kCauseCount> kCauses = {{
    {Cause::db_connect, Bucket::db, "db.connect"},
    {Cause::db_queue, Bucket::db, "db.queue"},
    {Cause::db_server, Bucket::db, "db.server"},
    {Cause::db_result, Bucket::db, "db.result"},
    {Cause::db_embedded, Bucket::db, "db.embedded"},
    {Cause::provider_connect, Bucket::provider, "provider.connect"},
    {Cause::provider_queue, Bucket::provider, "provider.queue"},
    {Cause::provider_first_byte, Bucket::provider, "provider.first_byte"},
    {Cause::provider_body, Bucket::provider, "provider.body"},
    {Cause::provider_internal, Bucket::provider, "provider.internal"},
    {Cause::transfer_request, Bucket::transfer, "transfer.request"},
    {Cause::transfer_response, Bucket::transfer, "transfer.response"},
    {Cause::transfer_storage, Bucket::transfer, "transfer.storage"},
    {Cause::cpu, Bucket::overhead, "overhead.cpu"},
    {Cause::run_queue, Bucket::overhead, "overhead.run_queue"},
    {Cause::loop_busy, Bucket::overhead, "overhead.loop_busy"},
    {Cause::pool_wait, Bucket::overhead, "overhead.pool_wait"},
    {Cause::lock, Bucket::overhead, "overhead.lock"},
    {Cause::disk, Bucket::overhead, "overhead.disk"},
    {Cause::page_fault, Bucket::overhead, "overhead.page_fault"},
    {Cause::backlog, Bucket::overhead, "overhead.backlog"},
    {Cause::sleep, Bucket::overhead, "overhead.sleep"},
    {Cause::unattributed, Bucket::overhead, "overhead.unattributed"},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kCauses.size(); ++i) {
        if (static_cast<std::size_t>(kCauses[i].cause) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "kCauses is indexed by the enumeration");

}  // namespace

Bucket bucket_of(Cause cause) {
    return kCauses[static_cast<std::size_t>(cause)].bucket;
}

std::string_view name(Bucket bucket) {
    constexpr std::array<std::string_view, kBucketCount> kNames = {"db", "provider", "transfer", "overhead"};
    return kNames[static_cast<std::size_t>(bucket)];
}

std::string_view name(Cause cause) {
    return kCauses[static_cast<std::size_t>(cause)].name;
}

std::string_view name(Evidence evidence) {
    constexpr std::array<std::string_view, 7> kNames = {"none",       "thread",   "context",  "goroutine",
                                                        "propagated", "inferred", "ambiguous"};
    return kNames[static_cast<std::size_t>(evidence)];
}

}  // namespace timesink::attribute
