#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Text off the wire (paths, statements, errors, process names) is hostile: escape sequences that repaint the reader's
/// terminal, newlines that forge a line of the report, direction overrides, markup, bytes that are no UTF-8. Everything that is
/// not ours goes through one of these before it is printed.
namespace timesink::report {

/// For a terminal: control characters, invalid UTF-8 and characters that steer the text's direction or are invisible become
/// \n, \t, \xNN or \u{N}; with `ascii`, all that is not ASCII does. The result is one line.
std::string terminal_safe(std::string_view text, bool ascii);

/// Inside a JSON string, without the quotes: valid UTF-8 (U+FFFD for what was not), controls as \uNNNN.
void append_json_escaped(std::string& out, std::string_view text);

/// As text of a Markdown table cell: one line, no markup, no HTML, no link, no column separator.
std::string markdown_safe(std::string_view text);

/// Columns that it takes on a terminal; of text that is terminal_safe.
std::size_t display_width(std::string_view text);

/// Cut to that many columns, "…" in place of what is missing; of text that is terminal_safe.
std::string cut(std::string_view text, std::size_t columns);

/// Padded with blanks to that many columns; longer text stays as it is.
std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

}  // namespace timesink::report
