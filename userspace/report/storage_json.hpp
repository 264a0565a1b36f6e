#pragma once

#include <cstdint>
#include <string_view>

#include "analyze/model.hpp"
#include "report/json_writer.hpp"

namespace timesink::report {

/// The member "s3" of an exchange; null: it is not with object storage. Names are OpenTelemetry's (aws.s3.*, rpc.*).
void write_storage(JsonWriter& json, const request::Exchange& exchange);
/// The member "objects" of a unit.
void write_objects(JsonWriter& json, const attribute::Account& account);
/// The member "objects" of figures.
void write_object_sums(JsonWriter& json, const analyze::ObjectSums& objects);
/// The member "rules" of the coverage; null: there are none of the user's.
void write_rules(JsonWriter& json, const analyze::Coverage& coverage);
/// 0 is none.
void write_number_or_null(JsonWriter& json, std::string_view name, std::uint32_t number);

}  // namespace timesink::report
