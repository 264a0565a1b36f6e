#pragma once

#include <string>

#include "analyze/model.hpp"
#include "base/result.hpp"

namespace timesink::report {

struct MarkdownOptions {
    std::string service{};    ///< whose route it is, where several services have it
    std::string route{};      ///< as TextOptions::route
    std::size_t slowest = 0;  ///< units as tables of their own, at the end
};

/// The content of the text report as GitHub-flavoured Markdown tables, for a ticket or a pull request. What came off the wire is
/// escaped: no markup, no link, no mention. Error: no such route.
Result<std::string> render_markdown(const analyze::Model& model, const MarkdownOptions& options);

}  // namespace timesink::report
