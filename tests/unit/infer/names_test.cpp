#include "infer/names.hpp"

#include <gtest/gtest.h>

namespace timesink::infer {
namespace {

TEST(Names, ANameMeansWhatItHasMeantSeveralTimes) {
    Names names;
    const Shape name = Names::name(Shape{7}, SocketId{1});
    for (int i = 0; i < 3; ++i) {
        names.learn(SocketId{1}, name, Shape{11});
    }
    EXPECT_EQ(names.meaning(name), Shape{});
    names.learn(SocketId{1}, name, Shape{11});
    EXPECT_EQ(names.meaning(name), Shape{11});
}

TEST(Names, EachConnectionHasItsOwn) {
    Names names;
    for (int i = 0; i < 4; ++i) {
        names.learn(SocketId{1}, Names::name(Shape{7}, SocketId{1}), Shape{11});
        names.learn(SocketId{2}, Names::name(Shape{7}, SocketId{2}), Shape{12});
    }
    EXPECT_EQ(names.meaning(Names::name(Shape{7}, SocketId{1})), Shape{11});
    EXPECT_EQ(names.meaning(Names::name(Shape{7}, SocketId{2})), Shape{12});
    EXPECT_EQ(names.meaning(Names::name(Shape{8}, SocketId{1})), Shape{});
}

TEST(Names, WhatIsContradictedMeansNothing) {
    Names names;
    const Shape name = Names::name(Shape{7}, SocketId{1});
    for (int i = 0; i < 12; ++i) {
        names.learn(SocketId{1}, name, Shape{11});
        names.learn(SocketId{1}, name, Shape{12});
        EXPECT_EQ(names.meaning(name), Shape{});
    }
}

TEST(Names, AFirstMistakeIsForgotten) {
    Names names;
    const Shape name = Names::name(Shape{7}, SocketId{1});
    names.learn(SocketId{1}, name, Shape{12});
    for (int i = 0; i < 20; ++i) {
        names.learn(SocketId{1}, name, Shape{11});
    }
    EXPECT_EQ(names.meaning(name), Shape{11});
}

TEST(Names, WhatAnswersTellIsNotLearnedOtherwise) {
    Names names;
    const Shape name = Names::name(Shape{7}, SocketId{1});
    names.told(name, Shape{11});
    EXPECT_EQ(names.meaning(name), Shape{11});
    EXPECT_TRUE(names.is_told(name));
    for (int i = 0; i < 20; ++i) {
        names.learn(SocketId{1}, name, Shape{12});
    }
    EXPECT_EQ(names.meaning(name), Shape{11});
}

TEST(Names, TwoNamesOfAConnectionDoNotMeanTheSame) {
    Names names;
    const Shape name = Names::name(Shape{7}, SocketId{1});
    const Shape other = Names::name(Shape{8}, SocketId{1});
    for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(names.means(SocketId{1}, Shape{11}, other));
        names.learn(SocketId{1}, name, Shape{11});
    }
    EXPECT_TRUE(names.means(SocketId{1}, Shape{11}, other));
    EXPECT_FALSE(names.means(SocketId{1}, Shape{11}, name));
    EXPECT_FALSE(names.means(SocketId{2}, Shape{11}, other));
}

}  // namespace
}  // namespace timesink::infer
