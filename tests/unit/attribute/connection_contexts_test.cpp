#include "attribute/connection_contexts.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};

Instant us(std::int64_t at) {
    return Instant(std::chrono::seconds(1) + std::chrono::microseconds(at));
}

ContextRef context(std::int64_t made, ContextRef parent = nullptr) {
    auto fresh = std::make_shared<Context>();
    fresh->made = us(made);
    fresh->parent = std::move(parent);
    return fresh;
}

class ConnectionContextsTest : public ::testing::Test {
protected:
    static request::Unit unit(std::uint64_t socket, const std::string& route = "/a") {
        request::Unit made;
        made.route = route;
        made.read_begin = us(62);
        made.end = us(65);
        made.process = kProcess;
        made.socket = SocketId{socket};
        return made;
    }
    bool serve(std::uint64_t socket, const ContextRef& writer, const std::string& route = "/a") {
        contexts_.began(unit(socket, route));
        return contexts_.ended(unit(socket, route), writer);
    }

    ConnectionContexts contexts_;
    ContextRef loop_ = context(-100);
    ContextRef first_ = context(0, loop_);
    ContextRef second_ = context(1, loop_);
};

TEST_F(ConnectionContextsTest, ATaskForEachConnectionIsKnownAfterSomeUnits) {
    EXPECT_FALSE(serve(1, first_));
    EXPECT_FALSE(serve(2, second_));
    EXPECT_FALSE(serve(1, first_));
    EXPECT_FALSE(serve(2, second_));
    EXPECT_FALSE(serve(1, first_)) << "it may be the only one of its kind";
    EXPECT_TRUE(serve(2, second_));
    EXPECT_TRUE(serve(1, first_));
    EXPECT_TRUE(ConnectionContexts::is_of(first_, SocketId{1}, us(50)));
    EXPECT_FALSE(ConnectionContexts::is_of(first_, SocketId{2}, us(50)));
    EXPECT_FALSE(ConnectionContexts::is_of(loop_, SocketId{1}, us(50)));
    const ContextRef third = context(60, loop_);
    EXPECT_TRUE(serve(3, third)) << "the loop's context is known by now";
    const ContextRef fourth = context(63, loop_);
    EXPECT_FALSE(serve(4, fourth)) << "made for the unit: what goes on in it after the answer is not the next one's";
    EXPECT_FALSE(ConnectionContexts::is_of(fourth, SocketId{4}, us(66)));
}

TEST_F(ConnectionContextsTest, ACopyIsTheUnitsIfItWasMadeSinceTheUnitBegan) {
    for (int i = 0; i < 3; ++i) {
        serve(1, context(10 + i, first_));
        serve(2, context(10 + i, second_));
    }
    EXPECT_TRUE(serve(1, context(50, first_)));
    const ContextRef before = context(30, first_);
    const ContextRef since = context(60, first_);
    EXPECT_TRUE(ConnectionContexts::is_of(since, SocketId{1}, us(55)));
    EXPECT_TRUE(ConnectionContexts::is_of(context(61, since), SocketId{1}, us(55)));
    EXPECT_FALSE(ConnectionContexts::is_of(before, SocketId{1}, us(55)));
    EXPECT_FALSE(ConnectionContexts::is_of(context(61, before), SocketId{1}, us(55)));
}

TEST_F(ConnectionContextsTest, ATaskThatAnswersForAllConnectionsIsNobodys) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(serve(1, first_));
        EXPECT_FALSE(serve(2, first_));
    }
    EXPECT_FALSE(ConnectionContexts::is_of(first_, SocketId{1}, us(50)));
}

TEST_F(ConnectionContextsTest, AContextThatTurnsOutToAnswerForSeveralIsNoConnectionsAnyMore) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    EXPECT_TRUE(ConnectionContexts::is_of(first_, SocketId{1}, us(50)));
    EXPECT_FALSE(serve(3, first_));
    EXPECT_FALSE(serve(1, first_));
    EXPECT_FALSE(ConnectionContexts::is_of(first_, SocketId{1}, us(50)));
    EXPECT_FALSE(serve(2, second_)) << "it is the only one now";
}

TEST_F(ConnectionContextsTest, AfterALossItIsLearnedAnew) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    contexts_.began(unit(1));  // whose end is lost
    contexts_.lost();
    const ContextRef first = context(70);
    const ContextRef second = context(71);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(serve(1, first)) << "as the context of them all, whose units of other connections were lost";
    }
    serve(2, second);
    serve(2, second);
    EXPECT_TRUE(serve(2, second) && serve(1, first));
}

TEST_F(ConnectionContextsTest, CopiesDescendFromAConnectionsContextWheneverTheyWereMade) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    EXPECT_TRUE(ConnectionContexts::descends_from(context(5, context(4, first_)), SocketId{1}));
    EXPECT_FALSE(ConnectionContexts::descends_from(context(5, first_), SocketId{2}));
    EXPECT_FALSE(ConnectionContexts::descends_from(loop_, SocketId{1}));
}

TEST_F(ConnectionContextsTest, WhatIsCopiedInAUnitsTimeIsLeftBehindByIt) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    for (int begin = 100; begin < 160; begin += 10) {
        Answered unit;
        unit.id = UnitId{static_cast<std::uint64_t>(begin)};
        unit.socket = SocketId{1};
        unit.activated = us(begin);
        unit.end = us(begin + 5);
        ConnectionContexts::served(context(begin + 1, first_), std::make_shared<const Answered>(unit));
    }
    const auto by = [](const ContextRef& sent_in) {
        const AnsweredRef unit = ConnectionContexts::made_for(sent_in);
        return unit == nullptr ? UnitId{} : unit->id;
    };
    EXPECT_EQ(by(context(153, first_)), UnitId{150});
    EXPECT_EQ(by(context(170, context(143, first_))), UnitId{140}) << "a copy of a copy";
    EXPECT_EQ(by(context(147, first_)), UnitId{}) << "between two";
    EXPECT_EQ(by(context(103, first_)), UnitId{}) << "too long ago";
    EXPECT_EQ(by(context(153, second_)), UnitId{}) << "another connection's";
    EXPECT_EQ(by(first_), UnitId{}) << "the connection's task itself";
    EXPECT_EQ(by(context(153, loop_)), UnitId{});
    EXPECT_EQ(by(nullptr), UnitId{});
}

TEST_F(ConnectionContextsTest, UnitsSideBySideOnAConnectionAreNotToldApart) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    contexts_.began(unit(1));
    contexts_.began(unit(1));
    EXPECT_FALSE(contexts_.ended(unit(1), first_));
    EXPECT_FALSE(contexts_.ended(unit(1), first_));
    EXPECT_TRUE(serve(1, first_));
}

TEST_F(ConnectionContextsTest, ATaskThatGoesOnAfterItsAnswerMayDoSoInTheNextUnit) {
    for (int i = 0; i < 4; ++i) {
        serve(1, first_);
        serve(2, second_);
    }
    contexts_.began(unit(1));
    contexts_.sent(kProcess, first_);
    EXPECT_TRUE(contexts_.ended(unit(1), first_)) << "it was in flight";
    EXPECT_TRUE(serve(1, first_, "/left"));
    contexts_.sent(kProcess, context(60, first_));
    EXPECT_TRUE(serve(1, first_, "/after")) << "a task of its own is left";
    contexts_.sent(kProcess, context(70, first_));
    EXPECT_FALSE(serve(1, first_));
    EXPECT_TRUE(serve(2, second_));
    EXPECT_TRUE(serve(2, second_, "/after"));
    EXPECT_FALSE(serve(2, second_)) << "its connection's task may have gone on, too";
    EXPECT_TRUE(serve(1, first_));
}

TEST_F(ConnectionContextsTest, WhoAnsweredMayBeUnknown) {
    EXPECT_FALSE(serve(1, nullptr));
    EXPECT_FALSE(contexts_.ended(unit(7), first_)) << "its begin was not seen";
}

}  // namespace
}  // namespace timesink::attribute
