#pragma once

#include "attribute/account.hpp"
#include "report/json_writer.hpp"

/// The members that the JSON report and the JSONL export have in common.
namespace timesink::report {

void write_endpoint(JsonWriter& json, std::string_view key, const event::Endpoint& endpoint);  ///< {"addr", "port"}
/// {"db": ns, …}, all four; the values sum to the sum of by_cause.
void write_buckets(JsonWriter& json, const std::array<Duration, attribute::kCauseCount>& by_cause);
/// {"db.server": ns, …}: those that are not zero.
void write_causes(JsonWriter& json, const std::array<Duration, attribute::kCauseCount>& by_cause);
/// {"socket_read": {"calls", "errors", "ns", "bytes"}, …}: the classes that were called.
void write_calls(JsonWriter& json, const request::CallsByClass& calls);
/// The members of a unit, in an object that is open; buckets and causes are null for a unit that is left out.
void write_unit(JsonWriter& json, const attribute::Account& account);
/// The members of an exchange, ditto.
void write_exchange(JsonWriter& json, const attribute::OwnedExchange& owned);

}  // namespace timesink::report
