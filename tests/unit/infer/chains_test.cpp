#include "infer/chains.hpp"

#include <gtest/gtest.h>

namespace timesink::infer {
namespace {

Instant ms(double at) {
    return Instant(std::chrono::seconds(10) + std::chrono::nanoseconds(static_cast<std::int64_t>(at * 1e6)));
}

class ChainsTest : public ::testing::Test {
protected:
    void SetUp() override { chains_.doubt(false); }
    static Hypothesis::Note note(Hypothesis::Note::Kind kind, Chain chain) {
        Hypothesis::Note note;
        note.kind = kind;
        note.chain = chain;
        note.reason = Reason::reply;
        return note;
    }
    void sends(Chain chain, std::uint64_t exchange) {
        Hypothesis::Note sent = note(Hypothesis::Note::Kind::statement, chain);
        sent.exchange = ExchangeId{exchange};
        chains_.on(sent);
    }
    void responds(Chain chain, std::uint64_t unit) {
        Hypothesis::Note responded = note(Hypothesis::Note::Kind::response, chain);
        responded.unit = UnitId{unit};
        chains_.on(responded);
    }
    void responses(int times, bool foreseen) {
        for (int i = 0; i < times; ++i) {
            chains_.foresaw(foreseen);
        }
    }
    double margin_of(std::uint64_t exchange) {
        for (const Verdict& verdict : chains_.take()) {
            if (number(verdict.exchange) == exchange) {
                return verdict.margin;
            }
        }
        return -1;
    }

    Chains chains_;
};

TEST_F(ChainsTest, SurprisesSoonBehindAStatementMakeItDoubtful) {
    chains_.began(UnitId{1});
    responses(20, true);
    sends(chain_of(UnitId{1}), 100);
    responses(5, true);
    responses(10, false);
    responds(chain_of(UnitId{1}), 1);
    EXPECT_LT(margin_of(100), 0.9);
}

TEST_F(ChainsTest, SurprisesLongBehindAStatementTellNothingOfIt) {
    chains_.began(UnitId{1});
    responses(20, true);
    sends(chain_of(UnitId{1}), 100);
    responses(100, true);
    responses(10, false);
    responds(chain_of(UnitId{1}), 1);
    EXPECT_GE(margin_of(100), 0.9);
}

TEST_F(ChainsTest, HowLongASleepTookIsKnownWhenBothItsEndsAre) {
    const Chain woken = chain_of(ExchangeId{200});
    const History before = History::begin(RouteId{3});
    chains_.began(UnitId{1});
    Hypothesis::Note sleep = note(Hypothesis::Note::Kind::sleep, chain_of(UnitId{1}));
    sleep.sleepers = 7;
    sleep.from = ms(1);
    sleep.history = before;
    chains_.on(sleep);
    Hypothesis::Note wake = note(Hypothesis::Note::Kind::wake, woken);
    wake.sleepers = 7;
    wake.from = ms(4);
    wake.to = ms(5);
    chains_.on(wake);
    responds(woken, 1);
    const std::vector<Chains::Slept> slept = chains_.take_slept();
    ASSERT_EQ(slept.size(), 1);
    EXPECT_EQ(slept[0].before, before);
    EXPECT_EQ(slept[0].least, ms(4) - ms(1));
    EXPECT_EQ(slept[0].most, ms(5) - ms(1));
    EXPECT_TRUE(chains_.take_slept().empty());
}

TEST(Hypothesis, WhatTwoThatAreOneSayDifferentlyOfAMannerWasNotSeen) {
    const History past = History::begin(RouteId{3});
    Hypothesis at_once;
    at_once.manner(past).direct = 5;
    Hypothesis later = at_once;
    ++at_once.manner(past).direct;
    ++later.manner(past).put_off;
    later.unite(at_once);
    EXPECT_EQ(later.manner(past).direct, 5);
    EXPECT_EQ(later.manner(past).put_off, 0);
}

}  // namespace
}  // namespace timesink::infer
