#include "report/wording.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace timesink::report {
namespace {

using std::chrono::milliseconds;

analyze::Figures with_unattributed(Duration unattributed) {
    analyze::Figures figures;
    figures.ledger.wall = milliseconds(100);
    figures.ledger.by_cause[static_cast<std::size_t>(attribute::Cause::unattributed)] = unattributed;
    return figures;
}

TEST(Wording, WhereMuchIsNotKnownNothingStandsOutInWhatIs) {
    EXPECT_EQ(nothing_found(analyze::Figures{}), "Nothing stands out.");
    EXPECT_EQ(nothing_found(with_unattributed(milliseconds(19))), "Nothing stands out.");
    EXPECT_EQ(nothing_found(with_unattributed(milliseconds(97))),
              "Nothing stands out in what is known: 97 % of the time is unattributed.");
}

TEST(Wording, WhatTheKernelDidNotLetUsSeeIsSaid) {
    analyze::Model model;
    model.run.detached = true;
    const Safe safe = [](std::string_view text) { return std::string(text); };
    EXPECT_THAT(not_seen_items(model, safe), testing::ElementsAre("nothing that is known of"));
    model.coverage.threads_missed = 1;
    model.coverage.probe_runs_missed = 13;
    EXPECT_THAT(not_seen_items(model, safe), testing::ElementsAre("1 thread for which the kernel had no memory",
                                                                  "what 13 probe runs would have told that the kernel left out"));
}

TEST(Wording, AFindingCountsByWhatItIsAbout) {
    analyze::Finding finding;
    finding.kind = analyze::FindingKind::repeated_call;
    finding.route = "mail:send";
    finding.subject = "SELECT x";
    finding.per_unit = 10;
    const Safe safe = [](std::string_view text) { return std::string(text); };
    EXPECT_EQ(sentence(finding, safe, 60), "mail:send sends the same call 10 × a request, one after the other: SELECT x");
    finding.unit = request::UnitKind::job;
    EXPECT_EQ(sentence(finding, safe, 60), "mail:send sends the same call 10 × a job, one after the other: SELECT x");
    finding.kind = analyze::FindingKind::pool_wait;
    finding.unit = std::nullopt;
    EXPECT_EQ(sentence(finding, safe, 60), "units wait for a connection of the pool, most in mail:send");
}

}  // namespace
}  // namespace timesink::report
