#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/parser.hpp"

/// Readers of payloads. What was cut off is empty, zero or unknown; nothing is believed.
namespace timesink::proto::postgres {

/// Of an error whose SQLSTATE was not captured.
inline constexpr std::string_view kUnknown = "unknown";

/// Reads NUL-ended strings one after the other; what a cut message does not have is empty.
std::string_view take_string(std::string_view& payload);

/// Rows out of a command tag: its last word, where that is a number ("INSERT 0 5", "SELECT 3"). Adds to what `answer` has.
void add_rows(End& answer, std::string_view tag);

/// The field C (SQLSTATE) of an ErrorResponse.
std::string sqlstate_of(std::string_view fields);

/// The database named in a StartupMessage; the user's, when none is.
std::string database_of(std::string_view parameters);

}  // namespace timesink::proto::postgres
