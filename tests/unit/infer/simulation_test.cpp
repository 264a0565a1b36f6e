#include <algorithm>

#include "unit/infer/loop_story.hpp"

namespace timesink::infer {
namespace {

TEST_F(SimulationTest, TheLongestWaiterGetsTheConnectionBeforeTheReplysOwnerGoesOn) {
    learn(1, {11});
    learn(2, {22});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {});
    segment(at_ + 3, {request(103, 1)}, {});
    segment(at_ + 4, {reply(1001, 1)}, {sends(1002, 1, 22), responds(101)});
    segment(at_ + 5, {reply(1002, 1)}, {sends(1003, 1, 11), responds(102)});
    segment(at_ + 6, {reply(1003, 1)}, {responds(103)});
    expect_owner(1001, 101, Reason::request);
    expect_owner(1002, 102, Reason::waited);
    expect_owner(1003, 103, Reason::waited);
}

TEST_F(SimulationTest, EqualShapesAreToldApartByTheOrderOfWaiting) {
    learn(1, {11, 11, 11});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 1)}, {});
    std::uint64_t exchange = 1001;
    // The two take turns: each queues behind the other.
    for (int i = 0; i < 4; ++i) {
        const std::uint64_t before = exchange++;
        segment(at_ + 3 + i, {reply(before, 1)}, {sends(exchange, 1, 11)});
    }
    segment(at_ + 8, {reply(1005, 1)}, {sends(1006, 1, 11), responds(101)});
    segment(at_ + 9, {reply(1006, 1)}, {responds(102)});
    expect_owner(1003, 101, Reason::waited);
    expect_owner(1004, 102, Reason::waited);
    expect_owner(1005, 101, Reason::waited);
    expect_owner(1006, 102, Reason::waited);
}

TEST_F(SimulationTest, WhatWasPreparedIsExecutedByWhoeverPreparedItThoughOthersWait) {
    learn(1, {11});
    learn(2, {11, 12});
    Stimulus prepared = reply(1001, 1);
    prepared.prepared = Shape{11};
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {});
    segment(at_ + 3, {prepared}, {sends(1002, 1, 11)});
    segment(at_ + 4, {reply(1002, 1)}, {sends(1003, 1, 11), responds(101)});
    segment(at_ + 5, {reply(1003, 1)}, {sends(1004, 1, 12)});
    segment(at_ + 6, {reply(1004, 1)}, {responds(102)});
    expect_owner(1002, 101, Reason::transaction);
    expect_owner(1003, 102, Reason::waited);
    expect_owner(1004, 102, Reason::reply);
}

TEST_F(SimulationTest, AStatementOfWhichOnlyTheNameIsKnownIsNobodysUntilItIsKnownWhatItMeans) {
    learn(1, {11, 12});
    learn(2, {21, 22});
    const auto nameless = [](Act act) {
        act.nameless = true;
        return act;
    };
    // Two requests at once on connections 2 and 3, on which names 7 and 8 stand for 11 and 12, or for 21 and 22.
    for (std::uint64_t round = 0; round < 8; ++round) {
        const std::uint64_t unit = 201 + 2 * round;
        const std::uint64_t first = 2001 + 4 * round;
        at_ += 10;
        segment(at_ + 1, {request(unit, 1)}, {nameless(sends(first, 2, 7))});
        segment(at_ + 2, {request(unit + 1, 2)}, {nameless(sends(first + 1, 3, 7))});
        segment(at_ + 3, {reply(first, 2)}, {nameless(sends(first + 2, 2, 8))});
        segment(at_ + 4, {reply(first + 1, 3)}, {nameless(sends(first + 3, 3, 8))});
        segment(at_ + 5, {reply(first + 2, 2)}, {responds(unit)});
        segment(at_ + 6, {reply(first + 3, 3)}, {responds(unit + 1)});
        simulation_->quiet();
        collect();
    }
    expect_unknown(2003);
    expect_owner(2031, 215, Reason::reply);
    expect_owner(2032, 216, Reason::reply);
}

TEST_F(SimulationTest, WhatANameMeansIsToldByItsAnswerOnEveryConnection) {
    const auto nameless = [](Act act) {
        act.nameless = true;
        return act;
    };
    const auto tells = [](Stimulus stimulus, std::uint64_t name, std::uint64_t meaning) {
        stimulus.nameless = Shape{name};
        stimulus.meaning = Shape{meaning};
        return stimulus;
    };
    // Each connection has names of its own for 11 and 12; two routes ask one of them, alone on connection 1.
    for (std::uint64_t round = 0; round < 12; ++round) {
        const std::uint64_t name = 7 + round % 2;
        const std::uint64_t unit = 201 + round;
        at_ += 10;
        segment(at_, {request(unit, name)}, {nameless(sends(2001 + round, 1, name))});
        segment(at_ + 1, {tells(reply(2001 + round, 1), name, name + 4)}, {responds(unit)});
        simulation_->quiet();
    }
    // On connection 2 the same names mean the others.
    segment(at_ + 10, {request(301, 7)}, {nameless(sends(3001, 2, 8))});
    segment(at_ + 11, {tells(reply(3001, 2), 8, 11)}, {responds(301)});
    simulation_->quiet();
    collect();
    // Both connections are busy, so 402 waits, and nobody else would ask what comes then.
    segment(at_ + 20, {request(401, 8)}, {nameless(sends(4001, 2, 7))});
    segment(at_ + 21, {request(403, 8)}, {nameless(sends(4003, 1, 8))});
    segment(at_ + 22, {request(402, 7)}, {});
    segment(at_ + 23, {tells(reply(4001, 2), 7, 12)}, {nameless(sends(4002, 2, 8)), responds(401)});
    segment(at_ + 24, {tells(reply(4002, 2), 8, 11)}, {responds(402)});
    segment(at_ + 25, {tells(reply(4003, 1), 8, 12)}, {responds(403)});
    expect_owner(4002, 402, Reason::waited);
}

TEST_F(SimulationTest, AConnectionInsideATransactionStaysWithItsOwner) {
    learn(1, {11, 12});
    learn(2, {11});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {});
    segment(at_ + 3, {reply(1001, 1, true)}, {sends(1002, 1, 12)});
    segment(at_ + 4, {reply(1002, 1)}, {sends(1003, 1, 11), responds(101)});
    segment(at_ + 5, {reply(1003, 1)}, {responds(102)});
    expect_owner(1002, 101, Reason::transaction);
    expect_owner(1003, 102, Reason::waited);
}

TEST_F(SimulationTest, WhoWritesInTheSegmentOfAReplyOnAnIdlePoolIsItsOwner) {
    learn(1, {11, 12});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1002, 2)}, {sends(1003, 2, 12)}, false);
    segment(at_ + 3.1, {reply(1001, 1)}, {sends(1004, 1, 12)});
    segment(at_ + 4, {reply(1003, 2)}, {responds(102)}, false);
    segment(at_ + 4.1, {reply(1004, 1)}, {responds(101)});
    expect_owner(1003, 102, Reason::reply);
    expect_owner(1004, 101, Reason::reply);
}

TEST_F(SimulationTest, TheOrderOfRepliesHoldsForEachPoolByItself) {
    const auto elsewhere = [](std::uint64_t exchange) {
        Act act = sends(exchange, 9, 31);
        act.pool = PoolId{1};
        act.may_wait = false;
        return act;
    };
    for (int i = 0; i < 6; ++i) {
        const std::uint64_t unit = ++unit_;
        at_ += 10;
        segment(at_, {request(unit, 1)}, {sends(++exchange_, 1, 11)});
        const std::uint64_t before = exchange_;
        segment(at_ + 1, {reply(before, 1)}, {elsewhere(++exchange_)});
        segment(at_ + 2, {reply(exchange_, 9)}, {responds(unit)});
        simulation_->quiet();
    }
    learn(2, {21, 11});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {sends(1002, 2, 21)});
    // The first to be read of writes last, for its driver takes longer.
    segment(at_ + 3, {reply(1001, 1), reply(1002, 2)}, {sends(1003, 2, 11), elsewhere(1004)});
    segment(at_ + 4, {reply(1003, 2)}, {responds(102)}, false);
    segment(at_ + 4.1, {reply(1004, 9)}, {responds(101)});
    expect_owner(1003, 102, Reason::reply);
    expect_owner(1004, 101, Reason::reply);
}

TEST_F(SimulationTest, ASleeperIsDueWhenItsKindUsuallyIs) {
    learn(1, {11, 12}, 5);
    learn(2, {21, 22}, 50);
    segment(at_ + 1, {request(101, 2)}, {sends(1001, 1, 21)});
    segment(at_ + 2, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1001, 1)}, {});
    segment(at_ + 4, {reply(1002, 2)}, {});
    segment(at_ + 9, {}, {sends(1003, 2, 12)});
    segment(at_ + 10, {reply(1003, 2)}, {responds(102)});
    segment(at_ + 53, {}, {sends(1004, 1, 22)});
    segment(at_ + 54, {reply(1004, 1)}, {responds(101)});
    expect_owner(1003, 102, Reason::woke);
    expect_owner(1004, 101, Reason::woke);
}

TEST_F(SimulationTest, OfEqualSleepersTheResponseSaysWhoWoke) {
    learn(1, {11, 12}, 5);
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 1.5, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 2, {reply(1001, 1)}, {}, false);
    segment(at_ + 2.1, {reply(1002, 2)}, {});
    segment(at_ + 7, {}, {sends(1003, 1, 12), sends(1004, 2, 12)});
    // The one that was read last answers first: no order says so, the anchors do.
    segment(at_ + 8, {reply(1003, 1)}, {responds(102)});
    segment(at_ + 9, {reply(1004, 2)}, {responds(101)});
    simulation_->finish();
    collect();
    expect_owner(1003, 102, Reason::woke);
    expect_owner(1004, 101, Reason::woke);
}

TEST_F(SimulationTest, WhoeverCannotHaveSentWhatIsAmbiguousIsNoCandidate) {
    learn(1, {11, 12, 13}, 5);
    learn(2, {21});
    segment(at_ + 0.5, {request(103, 2)}, {sends(1000, 3, 21)});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 1.1, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 2, {reply(1001, 1)}, {}, false);
    segment(at_ + 2.1, {reply(1002, 2)}, {});
    segment(at_ + 7, {}, {sends(1003, 1, 12), sends(1004, 2, 12)});
    segment(at_ + 8, {reply(1003, 1)}, {}, false);
    segment(at_ + 8.1, {reply(1004, 2)}, {});
    segment(at_ + 13, {}, {sends(1005, 1, 13), sends(1006, 2, 13)});
    segment(at_ + 14, {reply(1005, 1)}, {responds(102)});
    segment(at_ + 15, {reply(1006, 2)}, {responds(101)});
    segment(at_ + 16, {reply(1000, 3)}, {responds(103)});
    simulation_->finish();
    collect();
    for (const std::uint64_t middle : {1003U, 1004U}) {
        expect_unknown(middle);
        std::vector<UnitId> candidates = verdicts_[middle].candidates;
        std::sort(candidates.begin(), candidates.end());
        candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
        EXPECT_EQ(candidates, (std::vector{UnitId{101}, UnitId{102}})) << middle;
    }
    expect_owner(1005, 102, Reason::woke);
}

/// Two turns that differ in nothing but what is told of timers: a sleeper is due, and the reply of another was read.
TEST_F(SimulationTest, WhereTimersAreToldOnlyTheyWakeSleepers) {
    for (const bool fired : {false, true}) {
        model_ = Model{};
        simulation_ = std::make_unique<Simulation>(model_);
        simulation_->told({.timers = true});
        learn(1, {11, 12}, 5);
        learn(2, {21, 12});
        learn(2, {21});
        segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
        segment(at_ + 2, {reply(1001, 1)}, {});
        segment(at_ + 3, {request(102, 2)}, {sends(1002, 1, 21)});
        if (fired) {
            segment(at_ + 7, {reply(1002, 1)}, {responds(102)}, false);
            segment(at_ + 7.1, {}, {sends(1003, 1, 12)}, true, {.timers = true});
            segment(at_ + 8, {reply(1003, 1)}, {responds(101)});
            expect_owner(1003, 101, Reason::woke);
        } else {
            segment(at_ + 7, {reply(1002, 1)}, {sends(1003, 1, 12)});
            segment(at_ + 8, {reply(1003, 1)}, {responds(102)});
            expect_owner(1003, 102, Reason::reply);
        }
    }
}

TEST_F(SimulationTest, AnImmediateThatWasSetPutsOffWhatItsOwnerWrites) {
    simulation_->told({.immediates = true});
    for (int i = 0; i < 6; ++i) {
        const std::uint64_t unit = ++unit_;
        at_ += 10;
        segment(at_, {request(unit, 1)}, {sends(++exchange_, 1, 11)});
        Act late = sends(exchange_ + 1, 1, 12);
        late.certain = UnitId{unit};
        late.at = ms(at_ + 1.2);
        segment(at_ + 1, {reply(exchange_, 1)}, {late}, true, {.immediate_set_at = at_ + 1.1});
        segment(at_ + 2, {reply(++exchange_, 1)}, {responds(unit)});
        simulation_->quiet();
    }
    learn(2, {11, 12});
    // Both could write the next 12. One of them set an immediate, so it is the other one who did at once.
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 2)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1001, 1)}, {}, false, {.immediate_set_at = at_ + 3.01});
    segment(at_ + 3.1, {reply(1002, 2)}, {sends(1003, 2, 12), sends(1004, 1, 12)});
    segment(at_ + 4, {reply(1003, 2)}, {responds(102)}, false);
    segment(at_ + 4.1, {reply(1004, 1)}, {responds(101)});
    expect_owner(1003, 102, Reason::reply);
    expect_owner(1004, 101, Reason::deferred);
}

TEST_F(SimulationTest, AResponseThatContradictsMakesBothUnitsUnknown) {
    learn(1, {11});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    segment(at_ + 2, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1001, 1)}, {responds(102)});
    segment(at_ + 4, {reply(1002, 2)}, {responds(101)});
    simulation_->finish();
    collect();
    expect_unknown(1001);
    expect_unknown(1002);
}

TEST_F(SimulationTest, AfterALossNothingIsCertainUntilItHasBeenQuiet) {
    learn(1, {11});
    segment(at_ + 1, {request(101, 1)}, {sends(1001, 1, 11)});
    const UnitId in_flight[] = {UnitId{101}};
    simulation_->lost(in_flight);
    segment(at_ + 2, {request(102, 1)}, {sends(1002, 2, 11)});
    segment(at_ + 3, {reply(1002, 2)}, {responds(102)});
    segment(at_ + 4, {reply(1001, 1)}, {responds(101)});
    simulation_->quiet();
    collect();
    expect_unknown(1001);
    expect_unknown(1002);
    segment(at_ + 5, {request(103, 1)}, {sends(1003, 1, 11)});
    segment(at_ + 6, {request(104, 1)}, {});
    segment(at_ + 7, {reply(1003, 1)}, {responds(103)});
    expect_owner(1003, 103, Reason::request);
}

/// Ten sleepers of which any may have woken, again and again: all ways are tried for a while, not for ever.
TEST_F(SimulationTest, WhatStaysDearIsGivenUpUntilItHasBeenQuiet) {
    constexpr std::uint32_t kRoutes = 10;
    for (std::uint32_t route = 1; route <= kRoutes; ++route) {
        learn(route, {10 + route, 99}, 5);
    }
    const auto round = [&] {
        const std::uint64_t first_unit = unit_ + 1;
        const std::uint64_t first = exchange_ + 1;
        std::vector<Act> woken;
        for (std::uint32_t route = 1; route <= kRoutes; ++route) {
            segment(at_ += 0.01, {request(++unit_, route)}, {sends(++exchange_, route, 10 + route)});
        }
        for (std::uint32_t route = 1; route <= kRoutes; ++route) {
            segment(at_ += 0.01, {reply(first + route - 1, route)}, {});
            woken.push_back(sends(first + kRoutes + route - 1, route, 99));
        }
        segment(at_ += 5, {}, woken, true, {.timers = true});
        exchange_ += kRoutes;
        for (std::uint32_t route = 1; route <= kRoutes; ++route) {
            segment(at_ += 0.01, {reply(first + kRoutes + route - 1, route)}, {responds(first_unit + route - 1)});
        }
    };
    simulation_->told({.timers = true});
    segment(at_ += 1, {request(++unit_, 1)}, {});  // goes on all the time: it is never quiet
    const UnitId always[] = {UnitId{unit_}};
    int rounds = 0;
    while (!simulation_->derailed() && rounds < 500) {
        round();
        ++rounds;
    }
    EXPECT_GT(rounds, 20);
    ASSERT_TRUE(simulation_->derailed());
    simulation_->lost(always);
    EXPECT_FALSE(simulation_->derailed());
    verdicts_.clear();
    const std::uint64_t poor = exchange_ + 1;
    round();
    simulation_->quiet();
    collect();
    expect_unknown(poor + kRoutes);
    segment(at_ + 1, {request(++unit_, 1)}, {sends(++exchange_, 1, 11)});
    segment(at_ + 2, {reply(exchange_, 1)}, {});
    segment(at_ + 7, {}, {sends(++exchange_, 1, 99)}, true, {.timers = true});
    segment(at_ + 8, {reply(exchange_, 1)}, {responds(unit_)});
    expect_owner(exchange_, unit_, Reason::woke);
}

TEST_F(SimulationTest, WhatIsKnownOtherwiseIsTaken) {
    Act act = sends(1, 1, 11);
    act.certain = UnitId{1};
    simulation_->quiet();
    segment(1, {request(1, 1)}, {});
    segment(2, {request(2, 1)}, {act});
    segment(3, {reply(1, 1)}, {responds(1)});
    expect_owner(1, 1, Reason::alone);
}

TEST_F(SimulationTest, IsTheSameTwice) {
    const auto run = [](Simulation& simulation) {
        std::string told;
        simulation.quiet();
        for (std::uint64_t unit = 1; unit <= 40; ++unit) {
            Segment segment;
            segment.at = segment.turn_begin = segment.end = ms(static_cast<double>(unit));
            segment.last = true;
            segment.stimuli = {request(unit, unit % 3)};
            if (unit % 4 == 1) {
                segment.acts = {sends(unit, unit % 2, unit % 3)};
            }
            if (unit > 4) {
                segment.stimuli.push_back(reply(unit - 4, (unit - 4) % 2));
                segment.acts.push_back(responds(unit - 4));
            }
            simulation.on(segment);
            for (const Verdict& verdict : simulation.take()) {
                told += std::to_string(number(verdict.exchange)) + ' ' + std::to_string(number(verdict.unit)) + ' ' +
                        std::to_string(verdict.margin) + '\n';
            }
        }
        return told;
    };
    Model learned;
    Model learned_again;
    Simulation first(learned);
    Simulation second(learned_again);
    const std::string told = run(first);
    EXPECT_NE(told, "");
    EXPECT_EQ(told, run(second));
}

}  // namespace
}  // namespace timesink::infer
