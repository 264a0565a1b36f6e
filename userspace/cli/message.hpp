#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/exit_code.hpp"

/// Everything that is said on stderr goes through here: one line each, beginning with the program's name, and at most one
/// indented hint.
namespace timesink::cli {

/// "timesink: WHAT" and the hint below it.
void say_error(std::string_view what, std::string_view hint = {});
/// Progress: a line as it is.
void say(std::string_view line);

/// say_error, and the code: for `return fail(…)`.
int fail(ExitCode code, const Error& error, std::string_view hint = {});

/// Writes a report or an export to stdout. A reader that went away (`| head`) is no error to speak of; a full disk is.
int print(std::string_view text);

/// The last part of a path.
std::string file_name(const std::string& path);

}  // namespace timesink::cli
