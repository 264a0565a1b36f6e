#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/analysis.hpp"
#include "base/result.hpp"

namespace timesink::cli {

/// What of the model is shown, and how: the options that record and report
/// share.
struct Presentation {
    std::string format = "text";         ///< text, json, md
    std::string service;                 ///< only this one, of several
    std::string route;                   ///< only this one; also a pattern that folds
    std::optional<std::size_t> slowest;  ///< the N slowest units as trees
    std::optional<std::uint64_t> unit;   ///< one unit as a tree
    std::vector<std::string> evidence;   ///< see add_evidence_option
    std::string rules;                   ///< the file that --rules names; empty: none
    std::string recording;               ///< the file's name without its folder: the same live
                                         ///< and replayed
};

void add_presentation_options(CLI::App& command, Presentation& presentation);

/// --evidence: by which kinds of evidence owners are taken as known. Empty: all.
void add_evidence_option(CLI::App& command, std::vector<std::string>& kinds);
attribute::EvidenceSet evidence_of(const std::vector<std::string>& kinds);

/// What must be known before the first record, for the analysis to keep what
/// will be shown.
analyze::Options analysis_options(const Presentation& presentation);

/// `patterns`: as given by users, first match first. Error: one that is no
/// pattern.
Result<request::RoutePatterns> parse_routes(const std::vector<std::string>& patterns);

Result<std::string> render(const analyze::Model& model, const Presentation& presentation);

}  // namespace timesink::cli
