#pragma once

#include <string>
#include <vector>

#include "analyze/model.hpp"
#include "base/result.hpp"
#include "report/page.hpp"

namespace timesink::report {

/// What a unit did, in order of time: its calls, and between them its own time. Shared by text, JSON and Markdown.
struct UnitStep {
    Instant begin{};
    Duration length{};                                          ///< of a call: sent until read; of own time: its sum
    Duration on_path{};                                         ///< what it accounts for of the unit's wall time; these sum to it
    const attribute::OwnedExchange* call = nullptr;             ///< null: own time
    std::vector<std::pair<attribute::Cause, Duration>> causes;  ///< of on_path, in order of time
    [[nodiscard]] bool hidden() const { return call != nullptr && on_path <= Duration{}; }
};
std::vector<UnitStep> steps(const attribute::Account& account);

/// The slowest `count` units (of options.route, where set), one tree each, slowest first. Error: no such route.
Result<std::string> render_slowest(const analyze::Model& model, std::size_t count, const TextOptions& options);

/// One unit, where the model has it (Options::keep_unit, or among its exemplars). Error: it has not.
Result<std::string> render_unit(const analyze::Model& model, UnitId id, const TextOptions& options);
const analyze::Exemplar* find_unit(const analyze::Model& model, UnitId id);

}  // namespace timesink::report
