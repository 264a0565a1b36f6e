#pragma once

#include <string>

#include "analyze/model.hpp"
#include "report/page.hpp"

/// The short section about what requests went on doing after they had been answered: by route, how often, how long, and where the
/// time went. Empty where there was nothing of the kind. `service`, `route`: only of this one; null: of all.
namespace timesink::report {

/// How many lines draw_background will take.
std::size_t background_height(const analyze::Model& model, const analyze::ServiceLine* service, const analyze::RouteLine* route);
void draw_background(Page& page, const analyze::Model& model, const analyze::ServiceLine* service,
                     const analyze::RouteLine* route);
/// Appends the section.
void background_markdown(std::string& out, const analyze::Model& model, const analyze::RouteLine* route);

}  // namespace timesink::report
