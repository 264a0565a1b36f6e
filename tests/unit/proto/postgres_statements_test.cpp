#include <gtest/gtest.h>

#include <string>

#include "proto/postgres/statements.hpp"

namespace timesink::proto::postgres {
namespace {

TEST(PostgresStatements, AreJudgedWhenTheyArePrepared) {
    Statements statements;
    EXPECT_EQ(statements.prepare("a", "/* x */ select 1", false)->operation, "SELECT");
    EXPECT_TRUE(statements.prepare("b", "discard all", false)->housekeeping);
    EXPECT_TRUE(statements.prepare("c", "COPY t FROM STDIN", false)->copies_in);
    const auto unknown = statements.find("d");
    EXPECT_EQ(unknown->operation, "");
    EXPECT_FALSE(unknown->housekeeping) << "of one without a text nothing is known";
}

TEST(PostgresStatements, AnUnnamedOneIsRecognisedWhenItIsSentAgain) {
    Statements statements;
    const auto first = statements.prepare("", "SELECT 1", false);
    statements.prepare("", "SELECT 2", false);
    EXPECT_EQ(statements.prepare("", "SELECT 1", false), first);
    EXPECT_EQ(statements.find(""), first);
    EXPECT_TRUE(statements.prepare("", "SELECT 1", true)->truncated);
}

TEST(PostgresStatements, OfUnnamedOnesFewAndShortOnesAreKept) {
    Statements statements;
    const std::weak_ptr<const Statement> first = statements.prepare("", "SELECT 0", false);
    for (std::size_t i = 1; i < Statements::kMostRecent; ++i) {
        statements.prepare("", "SELECT " + std::to_string(i), false);
    }
    EXPECT_FALSE(first.expired());
    const std::weak_ptr<const Statement> long_one =
        statements.prepare("", "SELECT '" + std::string(Statements::kLongestRecent, 'x') + "'", false);
    EXPECT_FALSE(first.expired());
    statements.prepare("", "SELECT 9", false);
    EXPECT_TRUE(first.expired());
    EXPECT_TRUE(long_one.expired());
}

}  // namespace
}  // namespace timesink::proto::postgres
