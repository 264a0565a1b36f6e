#include "infer/tokens.hpp"

#include <gmock/gmock.h>

namespace timesink::infer {
namespace {

Token running(UnitId unit) {
    Token token;
    token.state = Token::State::running;
    token.unit = unit;
    token.chain = chain_of(unit);
    token.history = History::begin(RouteId{1});
    return token;
}

Tokens several(std::uint64_t count) {
    Tokens tokens;
    for (std::uint64_t unit = 1; unit <= count; ++unit) {
        tokens.add(running(UnitId{unit}));
    }
    return tokens;
}

TEST(Tokens, WhatOneCopyChangesTheOtherDoesNotSee) {
    Tokens first = several(20);
    Tokens second = first;
    second.change(9).outstanding = 3;
    EXPECT_EQ(first[9].outstanding, 0);
    EXPECT_EQ(second[9].outstanding, 3);
    EXPECT_EQ(second[8].unit, UnitId{9}) << "its page came along";
    EXPECT_EQ(second.size(), 20);
}

TEST(Tokens, AFreeSlotIsTakenAgain) {
    Tokens tokens = several(10);
    tokens.change(4).state = Token::State::free;
    EXPECT_EQ(tokens.find([](const Token& token) { return token.unit == UnitId{5}; }), kNobody);
    EXPECT_EQ(tokens.add(running(UnitId{30})), 4);
    EXPECT_EQ(tokens.add(running(UnitId{31})), 10);
    EXPECT_EQ(tokens.find([](const Token& token) { return token.unit == UnitId{31}; }), 10);
}

TEST(Tokens, TheStateIsThatOfTheTokensWhereverTheyAreAndHoweverTheyCameToBe) {
    Tokens tokens = several(20);
    const std::uint64_t before = tokens.state();
    Tokens changed = tokens;
    changed.change(12).outstanding = 1;
    EXPECT_NE(changed.state(), before);
    EXPECT_EQ(tokens.state(), before);
    changed.change(12).outstanding = 0;
    EXPECT_EQ(changed.state(), before);
    EXPECT_EQ(changed.identity(12), tokens.identity(12));

    std::swap(changed.change(0), changed.change(19));
    EXPECT_EQ(changed.state(), before) << "slots do not matter";
    EXPECT_NE(changed.identity(0), tokens.identity(0));
}

TEST(Tokens, WhoOfEqualSleepersItIsDoesNotMatter) {
    Token one = running(UnitId{1});
    Token other = running(UnitId{2});
    one.state = other.state = Token::State::sleeping;
    EXPECT_NE(one.identity(), other.identity());
    one.blurred = other.blurred = true;
    EXPECT_EQ(one.identity(), other.identity());
    other.state = Token::State::free;
    EXPECT_EQ(other.identity(), 0);
}

}  // namespace
}  // namespace timesink::infer
