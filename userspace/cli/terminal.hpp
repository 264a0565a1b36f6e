#pragma once

#include <cstddef>

namespace timesink::cli {

/// What the place where a report is read can show. Asked once, before rendering; the analysis never sees it.
struct Terminal {
    std::size_t width = 100;  ///< columns: COLUMNS, else the terminal's own, else 100
    std::size_t height = 40;  ///< lines: LINES, else the terminal's own, else 40
    bool colour = false;      ///< stdout is a terminal, TERM is not "dumb" and NO_COLOR is not set (no-color.org)
    bool ascii = false;       ///< the locale is not UTF-8
};

Terminal ask_terminal();

}  // namespace timesink::cli
