#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "infer/simulation.hpp"

namespace timesink::infer {

inline constexpr PoolId kPool{0};

inline Instant ms(double at) {
    return Instant(std::chrono::seconds(10) + std::chrono::nanoseconds(static_cast<std::int64_t>(at * 1e6)));
}

struct Phase {
    bool timers = false;
    double immediate_set_at = 0;  // ms; 0: none was
};

/// A loop on which every segment is a turn of its own, unless said otherwise; statements are numbered as they are sent.
class SimulationTest : public ::testing::Test {
protected:
    struct Told {
        Stimulus stimulus;
        std::vector<Act> acts;
    };

    static Stimulus request(std::uint64_t unit, std::uint32_t route) { return {.unit = UnitId{unit}, .route = RouteId{route}}; }
    static Stimulus reply(std::uint64_t exchange, std::uint64_t connection, bool transaction = false) {
        return {.exchange = ExchangeId{exchange}, .connection = SocketId{connection}, .transaction = transaction};
    }
    static Act sends(std::uint64_t exchange, std::uint64_t connection, std::uint64_t shape) {
        return {.exchange = ExchangeId{exchange},
                .connection = SocketId{connection},
                .pool = kPool,
                .shape = Shape{shape},
                .may_wait = true};
    }
    static Act responds(std::uint64_t unit) { return {.kind = Act::Kind::response, .unit = UnitId{unit}}; }

    void segment(double at, std::vector<Stimulus> stimuli, std::vector<Act> acts, bool last = true, Phase phase = {}) {
        Segment told;
        told.timers = phase.timers;
        told.immediates = last && !phase.timers;
        told.immediate_set_at = phase.immediate_set_at > 0 ? ms(phase.immediate_set_at) : Instant{};
        told.at = told.turn_begin = ms(at);
        told.end = ms(at + 0.01);
        told.waited = last;
        told.last = last;
        told.stimuli = std::move(stimuli);
        told.acts = std::move(acts);
        simulation_->on(told);
        collect();
    }
    void collect() {
        for (const Verdict& verdict : simulation_->take()) {
            verdicts_[number(verdict.exchange)] = verdict;
        }
    }
    /// A request that asks `shapes` one after the other on connection 1, `times` times, alone.
    void learn(std::uint32_t route, const std::vector<std::uint64_t>& shapes, double sleep = 0, int times = 6) {
        for (int i = 0; i < times; ++i) {
            const std::uint64_t unit = ++unit_;
            at_ += 10;
            segment(at_, {request(unit, route)}, {sends(++exchange_, 1, shapes[0])});
            for (std::size_t s = 1; s < shapes.size(); ++s) {
                at_ += 1;
                if (sleep > 0) {
                    segment(at_, {reply(exchange_, 1)}, {});
                    at_ += sleep;
                    segment(at_, {}, {sends(++exchange_, 1, shapes[s])}, true, {.timers = true});
                } else {
                    const std::uint64_t before = exchange_;
                    segment(at_, {reply(before, 1)}, {sends(++exchange_, 1, shapes[s])});
                }
            }
            at_ += 1;
            segment(at_, {reply(exchange_, 1)}, {responds(unit)});
            simulation_->quiet();
            collect();
        }
        at_ += 100;
        verdicts_.clear();
    }
    /// All requests of the story have been answered.
    void expect_owner(std::uint64_t exchange, std::uint64_t unit, Reason reason) {
        simulation_->quiet();
        collect();
        ASSERT_TRUE(verdicts_.contains(exchange)) << exchange;
        EXPECT_EQ(number(verdicts_[exchange].unit), unit) << exchange;
        EXPECT_GE(verdicts_[exchange].margin, 0.9) << exchange;
        EXPECT_EQ(verdicts_[exchange].reason, reason) << exchange;
    }
    void expect_unknown(std::uint64_t exchange) {
        ASSERT_TRUE(verdicts_.contains(exchange)) << exchange;
        EXPECT_LT(verdicts_[exchange].margin, 0.9) << exchange;
    }

    Model model_;
    std::unique_ptr<Simulation> simulation_ = std::make_unique<Simulation>(model_);
    std::map<std::uint64_t, Verdict> verdicts_;
    std::uint64_t unit_ = 0;
    std::uint64_t exchange_ = 0;
    double at_ = 0;
};

}  // namespace timesink::infer
