#include "report/wording.hpp"

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

}  // namespace
}  // namespace timesink::report
