#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace timesink::golden {

/// A script of events, as raw records, and what must come out. tests/golden/README.md has the grammar.
struct Script {
    std::vector<std::byte> records;     ///< in the order of the lines, closed by a watermark
    std::vector<std::string> expected;  ///< the lines behind "=>", without it
    std::string events;                 ///< the text before the first "=>", to be written back by an update
};

/// Error: the number of the line, and what is wrong there.
Result<Script> parse_script(std::string_view text);

}  // namespace timesink::golden
