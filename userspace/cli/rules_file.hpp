#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "capture/reader.hpp"
#include "rules/rules.hpp"

/// The file of rules that --rules names, and its copy in recordings (docs/rules.md).
namespace timesink::cli {

/// Null: no rules were given.
using Rules = std::shared_ptr<const rules::RuleSet>;

/// What to say beside an error of rules.
inline constexpr std::string_view kRulesHint = "docs/rules.md has all keys, with examples.";

void add_rules_option(CLI::App& command, std::string& path);

/// The text of a file of rules, as it is and goes into the recording. Error: it cannot be read, or is too long.
Result<std::string> read_rules_file(const std::string& path);

/// Error: as RuleSet::parse.
Result<Rules> parse_rules(const std::string& text, const std::string& path);

/// Of a report on a recording: the file that was given now, else what the recording was made with, else none. Error: one of them
/// is wrong.
Result<Rules> rules_of(const std::string& path, const capture::Reader& reader);

/// The fact that rules_of() finds in a recording, as a record; `time`: CLOCK_MONOTONIC ns.
std::vector<std::byte> rules_record(const std::string& text, const std::string& path, std::uint64_t time);

}  // namespace timesink::cli
