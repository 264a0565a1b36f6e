#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/reader.hpp"

/// From a recording into the analysis, with what the user must be told about it. Shared by report and export.
namespace timesink::cli {

/// The route patterns that the recording was made with: `timesink report FILE` folds as the live report did. Empty where nothing
/// says so.
std::vector<std::string> recorded_routes(const capture::Reader& reader);

/// The fact that recorded_routes() reads, as a record; `time`: CLOCK_MONOTONIC ns.
std::vector<std::byte> routes_record(const std::vector<std::string>& patterns, std::uint64_t time);

/// Calls `each` with every fact of that name which the recording begins with.
void for_each_fact(const capture::Reader& reader, std::string_view name, const std::function<void(const nlohmann::json&)>& each);

/// A fact as a record. Precondition: as text it has less than 64 KiB. `time`: CLOCK_MONOTONIC ns.
std::vector<std::byte> fact_record(const nlohmann::json& body, std::uint64_t time);

/// Opens a recording; says why not (then the exit code stands in `code`).
std::unique_ptr<capture::Reader> open_recording(const std::string& path, int& code);

/// Pushes all events. A recording that is cut off or damaged is said on stderr; with `strict` that is exit code kUnreadable, else
/// kDone. Also kUnreadable when not a single section is whole. `command`: for the hint. An Error of `push` ends it:
/// kCannotWrite without a word where it has no text (nobody reads the output any more), else kUnreadable.
int replay(capture::Reader& reader, std::string_view command, bool strict,
           const std::function<Status(std::span<const std::byte>)>& push);

}  // namespace timesink::cli
