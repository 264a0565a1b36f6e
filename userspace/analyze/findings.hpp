#pragma once

#include <vector>

#include "analyze/model.hpp"

namespace timesink::analyze {

/// Findings below these are noise, or not worth a line. docs/findings.md says what each kind needs beyond.
inline constexpr std::uint64_t kFewestUnits = 20;                             ///< of the run or route that a finding is about
inline constexpr double kLeastShareOfRoute = 0.05;                            ///< gain, of the wall time of its route
inline constexpr double kLeastShareOfRun = 0.01;                              ///< gain, of the wall time of the run
inline constexpr Duration kLeastGainPerUnit = std::chrono::microseconds(50);  ///< of its route

/// All findings about the run and its routes, sorted: by gain, then those without an estimate, ties by kind, route and subject.
/// Looks at everything in the model but model.findings.
std::vector<Finding> find_all(const Model& model);

}  // namespace timesink::analyze
