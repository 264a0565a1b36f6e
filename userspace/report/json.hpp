#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "analyze/model.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace timesink::report {

struct JsonOptions {
    std::string service{};         ///< whose route it is, where several services have it
    std::string route{};           ///< as TextOptions::route: "routes" has that one alone
    std::size_t slowest = 20;      ///< exemplars written in full under "slowest"
    std::optional<UnitId> unit{};  ///< written in full under "unit"
};

/// The whole model as one JSON object; docs/report-json.md is its schema. Times are integer nanoseconds, so that buckets and
/// causes sum exactly. Error: no such route or unit.
Result<std::string> render_json(const analyze::Model& model, const JsonOptions& options);
inline constexpr int kReportSchemaVersion = 1;

}  // namespace timesink::report
