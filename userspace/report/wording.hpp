#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/model.hpp"

/// The sentences that text and Markdown share. Names off the wire go through `Safe`, which the rendering gives.
namespace timesink::report {

using Safe = std::function<std::string(std::string_view)>;

std::string_view name(analyze::FindingKind kind);        ///< "repeated_call", …: of the JSON
std::string_view name(analyze::Sureness sureness);       ///< "sure", "likely", "unsure"
std::string_view name(request::UnitKind kind);           ///< "request", "job", "background"
std::string_view name(request::Exclusion exclusion);     ///< "older_than_attach", …: of the JSON
std::string_view name_of_call_class(std::size_t index);  ///< "socket_read", …: of the JSON and the export
std::string_view title(attribute::Bucket bucket);        ///< "database", …
std::string_view title(attribute::Cause cause);          ///< "server wait", "run queue", …

/// "GET /orders/{id}", "other (12 routes)".
std::string route_title(const analyze::RouteLine& line, std::uint64_t folded, const Safe& safe);

/// One sentence. Subjects longer than `most` columns are cut.
std::string sentence(const analyze::Finding& finding, const Safe& safe, std::size_t most);
/// "up to 14.1 ms (29 %)", over the units of `of`; empty where it cannot be estimated.
std::string gain_text(const analyze::Finding& finding, const analyze::Ledger& of);

std::string noun(std::uint64_t count, std::string_view singular);  ///< "1 request", "12,418 requests"
/// "request", "job", or "unit" where there are both.
std::string unit_noun(const analyze::Model& model);
/// Empty: several kinds.
std::string unit_noun(std::optional<request::UnitKind> kind);

std::vector<std::string> header_items(const analyze::Model& model, const analyze::Figures& figures, const Safe& safe);
/// Calls of which it is not known whose they are, where they are many: they are in no bucket, which would look as if there were
/// none. Empty: they are few.
std::string nobodys_text(const analyze::Model& model);
/// "7 jobs waited 310 ms for a worker (p99 1.20 s)".
std::string queue_wait_text(const analyze::Quantiles& wait);
/// Of one of several services.
std::vector<std::string> service_items(const analyze::Model& model, const analyze::ServiceLine& service, const Safe& safe);
/// Owners, lost, left out; what rules of the user's decided.
std::vector<std::string> trust_items(const analyze::Model& model, const Safe& safe);
/// What is said where no finding fires: that nothing stands out in what is known, where much is not.
std::string nothing_found(const analyze::Figures& figures);
std::vector<std::string> not_seen_items(const analyze::Model& model, const Safe& safe);  ///< never empty
std::vector<std::string> own_cost_items(const analyze::Model& model);

}  // namespace timesink::report
