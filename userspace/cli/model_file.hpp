#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/analysis.hpp"
#include "attribute/route_model.hpp"
#include "capture/reader.hpp"

/// What an earlier run learned of the routes of event loops: from the recording that --model names, and the copy in a recording
/// that was made with it.
namespace timesink::cli {

/// Null: none was given.
using Models = std::shared_ptr<const std::vector<attribute::RouteModel>>;

void add_model_option(CLI::App& command, std::string& path);

/// Learns from a recording, by the very analysis that a report on it makes; of a route of which more is known than a fact holds,
/// the rarest paths are left out. Null and `code`: it cannot be read, which has been said. One that is cut off counts as far as
/// it goes, with a word about it; so does one of which nothing can be learned.
Models learn_models(const std::string& path, int& code);

/// Of a report on a recording: those of the file that was given now, else those that the recording was made with, else none.
Models models_of(const std::string& path, const capture::Reader& reader, int& code);

/// The facts that models_of() finds in a recording, as records, of what learn_models() gave. `time`: CLOCK_MONOTONIC ns.
std::vector<std::byte> model_records(const std::vector<attribute::RouteModel>& models, std::uint64_t time);

}  // namespace timesink::cli
