#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/model.hpp"
#include "report/page.hpp"
#include "report/wording.hpp"

namespace timesink::report {

/// One line of WHERE THE TIME WENT: of a bucket, a cause, or a call or host below a cause.
struct TreeRow {
    int depth = 0;  ///< 0: bucket
    attribute::Bucket bucket = attribute::Bucket::db;
    std::string name;  ///< safe
    Duration time{};   ///< over all units
    std::string note;  ///< safe; may be cut
    std::string tail;  ///< safe; stands at the right edge
};

/// The tree as rows, top to bottom, shared by text and Markdown. Causes below 0.1 % of the wall time are gathered in a row
/// "others", except unattributed, which always stands there. `safe` cleans what came off the wire.
std::vector<TreeRow> account_rows(const analyze::Model& model, const analyze::Figures& figures, const Safe& safe);

/// Rows as they are, without bars: of one unit, whose wall time is given.
void draw_rows(Page& page, const std::vector<TreeRow>& rows, Duration wall);

/// The section of the text report.
void draw_account(Page& page, const analyze::Model& model, const analyze::Figures& figures);

}  // namespace timesink::report
