#pragma once

#include <string>

#include "analyze/model.hpp"
#include "base/result.hpp"
#include "report/page.hpp"

namespace timesink::report {

/// The report as text, in the form of docs/report-semantics.md: where the time went, what to do first, routes, how sure, own
/// cost. With options.route, of that route alone, its calls in place of the routes. Error: no such route, or several.
Result<std::string> render_text(const analyze::Model& model, const TextOptions& options);

/// The line of options.route: "METHOD /route", or "/route" where only one method has it.
/// `service`: only of this one; null: of all, where several of them may have it.
Result<const analyze::RouteLine*> find_route(const analyze::Model& model, std::string_view wanted,
                                             const analyze::ServiceLine* service = nullptr);

/// By its name, or by one of its ports (":8000"). Null: `wanted` is empty. Error: there is none of that name.
Result<const analyze::ServiceLine*> find_service(const analyze::Model& model, std::string_view wanted);

}  // namespace timesink::report
