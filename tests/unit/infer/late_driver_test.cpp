#include "unit/infer/loop_story.hpp"

namespace timesink::infer {
namespace {

/// A driver that writes at the end of turns only, on a runtime that tells of timers and immediates (postgres.js on Node).
class LateDriverTest : public SimulationTest {
protected:
    LateDriverTest() { simulation_->told({.timers = true, .immediates = true}); }
    static Act late(std::uint64_t exchange, std::uint64_t connection, std::uint64_t shape) {
        Act act = sends(exchange, connection, shape);
        act.late = true;
        return act;
    }
    /// Lists of statements, each asked at once; an empty one is a sleep.
    void knows(std::uint32_t route, const std::vector<std::vector<std::uint64_t>>& lists) {
        std::vector<Step> steps;
        for (const std::vector<std::uint64_t>& list : lists) {
            std::vector<Shape> shapes;
            for (const std::uint64_t shape : list) {
                shapes.push_back(Shape{shape});
                model_.place(shapes.back(), kPool);
            }
            steps.push_back(shapes.empty() ? Step::sleep : model_.list(shapes));
            steps.insert(steps.end(), shapes.empty() ? 0 : shapes.size() - 1, Step::join);
        }
        steps.push_back(Step::respond);
        for (int i = 0; i < 8; ++i) {
            model_.learn_path(RouteId{route}, steps, {});
        }
    }
    void expect(std::uint64_t exchange, std::uint64_t unit) {
        ASSERT_TRUE(verdicts_.contains(exchange)) << exchange;
        EXPECT_EQ(number(verdicts_[exchange].unit), unit) << exchange;
        EXPECT_GE(verdicts_[exchange].margin, 0.9) << exchange;
    }
};

TEST_F(LateDriverTest, AListThatItIsAskedIsNotInterrupted) {
    knows(1, {{11, 11, 11}});
    knows(2, {{12}});
    // Connections 1 to 4; that they are shared is seen.
    segment(1, {request(51, 2)}, {late(501, 1, 12)}, true, {.immediate_set_at = 1.1});
    segment(2, {request(52, 2)}, {late(502, 1, 12)}, true, {.immediate_set_at = 2.1});
    segment(3, {reply(501, 1), reply(502, 1)}, {responds(51), responds(52)});
    simulation_->quiet();
    segment(10, {request(101, 1)}, {}, false, {.immediate_set_at = 10.1});
    segment(10.2, {request(102, 1)}, {}, false);
    segment(10.3, {request(103, 2)},
            {late(1001, 1, 11), late(1002, 2, 11), late(1003, 3, 11), late(1004, 4, 11), late(1005, 1, 11), late(1006, 2, 11),
             late(1007, 3, 12)});
    segment(11, {reply(1004, 4)}, {});
    segment(12, {reply(1001, 1), reply(1005, 1)}, {});
    segment(13, {reply(1002, 2), reply(1006, 2)}, {responds(102)});
    segment(14, {reply(1003, 3)}, {responds(101)}, false);
    segment(14.1, {reply(1007, 3)}, {responds(103)});
    simulation_->quiet();
    collect();
    for (const std::uint64_t exchange : {1001U, 1002U, 1003U}) {
        expect(exchange, 101);
    }
    for (const std::uint64_t exchange : {1004U, 1005U, 1006U}) {
        expect(exchange, 102);
    }
    expect(1007, 103);
}

TEST_F(LateDriverTest, WhatTimersAskIsWrittenAtTheEndOfTheNextTurnAheadOfWhatThatReads) {
    knows(1, {{11}, {12}});
    knows(2, {{13}, {}, {12}});
    simulation_->quiet();
    segment(1, {request(101, 1)}, {late(1001, 1, 11)}, true, {.immediate_set_at = 1.1});
    segment(2, {request(102, 2)}, {late(1002, 2, 13)}, true, {.immediate_set_at = 2.1});
    segment(3, {reply(1002, 2)}, {});
    // Its timer asks, for which the driver sets an immediate.
    segment(13, {}, {}, true, {.timers = true, .immediate_set_at = 13.1});
    segment(14, {reply(1001, 1)}, {late(1003, 2, 12), late(1004, 1, 12)});
    segment(15, {reply(1003, 2)}, {responds(102)}, false);
    segment(15.1, {reply(1004, 1)}, {responds(101)});
    simulation_->quiet();
    collect();
    expect(1003, 102);
    expect(1004, 101);
}

TEST_F(SimulationTest, WhoOpensAConnectionIsWhoAsksNextWhereThereIsNone) {
    constexpr PoolId kOther{1};
    const auto elsewhere = [](Act act) {
        act.pool = kOther;
        act.may_wait = false;
        return act;
    };
    for (int i = 0; i < 6; ++i) {
        const std::uint64_t unit = ++unit_;
        at_ += 10;
        segment(at_, {request(unit, 2)}, {sends(++exchange_, 1, 11)});
        segment(at_ + 1, {reply(exchange_, 1)}, {elsewhere(sends(exchange_ + 1, 9, 21))});
        segment(at_ + 2, {reply(++exchange_, 9)}, {responds(unit)});
        simulation_->quiet();
    }
    simulation_->closed(SocketId{9});
    learn(1, {11, 12});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1001, 1), reply(1002, 2)},
            {{.kind = Act::Kind::connect, .connection = SocketId{10}}, sends(1003, 1, 12)});
    segment(at_ + 4, {}, {elsewhere(sends(1004, 10, 21))});
    segment(at_ + 5, {reply(1003, 1)}, {responds(101)});
    segment(at_ + 6, {reply(1004, 10)}, {responds(102)});
    expect_owner(1003, 101, Reason::reply);
    expect_owner(1004, 102, Reason::connected);
}

}  // namespace
}  // namespace timesink::infer
