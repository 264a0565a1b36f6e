#include "analyze/bounded_lines.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace timesink::analyze {
namespace {

struct Less {
    using is_transparent = void;
    static std::string_view view(std::string_view name) { return name; }
    bool operator()(std::string_view a, std::string_view b) const { return a < b; }
};

struct Line {
    int sum = 0;
    bool partial = false;
    [[nodiscard]] int weight() const { return sum; }
    void fold(Line&& other) { sum += other.sum; }
};

using Lines = BoundedLines<std::string, Line, Less>;

TEST(BoundedLines, AHintThatSeveralKeysShareTellsThemApart) {
    Lines lines(4);
    for (int round = 0; round < 3; ++round) {
        lines.at(std::string_view("a"), 7).sum += 1;
        lines.at(std::string_view("b"), 7).sum += 10;
        lines.at(std::string_view("a"), 8).sum += 100;
    }
    EXPECT_EQ(lines.lines().size(), 2);
    EXPECT_EQ(lines.at(std::string_view("a")).sum, 303);
    EXPECT_EQ(lines.at(std::string_view("b")).sum, 30);
}

TEST(BoundedLines, ALineThatWasFoldedAwayIsNotFoundByItsHint) {
    Lines lines(1);
    lines.at(std::string_view("light"), 1).sum = 1;
    lines.at(std::string_view("heavy"), 2).sum = 5;
    lines.at(std::string_view("third"), 3).sum = 3;  // folds down to the heaviest first
    lines.at(std::string_view("light"), 1).sum += 2;
    EXPECT_EQ(lines.lines().at("light").sum, 2);
    EXPECT_TRUE(lines.lines().at("light").partial);
    ASSERT_TRUE(lines.other());
    EXPECT_EQ(lines.other()->sum + lines.lines().at("heavy").sum, 1 + 3 + 5);
}

TEST(BoundedLines, HintsOfACopyAreOfItsOwnLines) {
    Lines lines(4);
    lines.at(std::string_view("a"), 1).sum = 1;
    Lines copy(lines);
    copy.at(std::string_view("a"), 1).sum += 10;
    EXPECT_EQ(lines.at(std::string_view("a"), 1).sum, 1);
    EXPECT_EQ(copy.at(std::string_view("a"), 1).sum, 11);
}

}  // namespace
}  // namespace timesink::analyze
