#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "unit/infer/loop_story.hpp"

namespace timesink::infer {
namespace {

/// A service that is never quiet: kInFlight clients, each of which asks again as soon as it is answered, before a pool of
/// kConnections. Keeps the truth of who sent what.
class SaturatedPool : public SimulationTest {
protected:
    static constexpr std::size_t kInFlight = 8;
    static constexpr std::uint64_t kConnections = 2;
    struct Unit {
        std::uint64_t id = 0;
        std::uint32_t route = 0;
        std::size_t asked = 0;
    };
    struct Asked {
        std::uint64_t exchange = 0;
        Unit unit;
    };

    void SetUp() override {
        for (const auto& [route, shapes] : routes_) {
            learn(route, shapes);
        }
        for (std::size_t i = 0; i < kInFlight; ++i) {
            arrive();
        }
    }
    void arrive() {
        Unit unit{++unit_, 1 + static_cast<std::uint32_t>(unit_ * 7 / 3 % routes_.size()), 0};
        std::vector<Act> acts;
        for (std::uint64_t connection = 1; connection <= kConnections; ++connection) {
            if (!busy_.contains(connection)) {
                acts.push_back(ask(connection, unit));
                break;
            }
        }
        if (acts.empty()) {
            waiting_.push_back(unit);
        }
        segment(at_ += 0.1, {request(unit.id, unit.route)}, acts);
    }
    Act ask(std::uint64_t connection, Unit unit) {
        const std::uint64_t shape = routes_[unit.route][unit.asked++];
        busy_[connection] = {++exchange_, unit};
        owners_[exchange_] = unit.id;
        return sends(exchange_, connection, shape);
    }
    /// The connection's reply comes: it goes to the longest waiter, then its owner goes on. Returns whose it was.
    void answer(std::uint64_t connection) {
        const Asked asked = busy_.at(connection);
        busy_.erase(connection);
        std::vector<Act> acts;
        if (!waiting_.empty()) {
            acts.push_back(ask(connection, waiting_.front()));
            waiting_.pop_front();
        }
        const bool over = asked.unit.asked == routes_[asked.unit.route].size();
        if (over) {
            acts.push_back(responds(asked.unit.id));
        } else {
            waiting_.push_back(asked.unit);
        }
        segment(at_ += 0.3, {reply(asked.exchange, connection)}, acts);
        if (over) {
            arrive();
        }
    }
    void run(int replies) {
        for (int i = 0; i < replies; ++i) {
            answer(1 + static_cast<std::uint64_t>(i * 5 / 3) % kConnections);
        }
    }
    [[nodiscard]] std::vector<UnitId> in_flight() const {
        std::vector<UnitId> units;
        for (const Unit& unit : waiting_) {
            units.push_back(UnitId{unit.id});
        }
        for (const auto& [connection, asked] : busy_) {
            units.push_back(UnitId{asked.unit.id});
        }
        return units;
    }
    /// Of the statements behind `since` that are decided: how many are whose they are called, all wrong ones are failures.
    std::pair<int, int> right_of(std::uint64_t since) {
        int right = 0;
        int all = 0;
        for (const auto& [exchange, verdict] : verdicts_) {
            if (exchange <= since) {
                continue;
            }
            ++all;
            if (verdict.margin >= 0.9) {
                EXPECT_EQ(number(verdict.unit), owners_[exchange]) << exchange;
                ++right;
            }
        }
        return {right, all};
    }

    std::map<std::uint32_t, std::vector<std::uint64_t>> routes_{{1, {11, 12}}, {2, {21, 22, 23}}, {3, {31}}, {4, {41, 11, 42}}};
    std::deque<Unit> waiting_;
    std::map<std::uint64_t, Asked> busy_;
    std::map<std::uint64_t, std::uint64_t> owners_;
};

TEST_F(SaturatedPool, IsFollowedWhileAllIsSeen) {
    const std::uint64_t since = exchange_;
    run(400);
    const auto [right, all] = right_of(since);
    EXPECT_GT(all, 300);
    EXPECT_EQ(right, all);
}

TEST_F(SaturatedPool, IsFollowedAgainSoonAfterItWasLost) {
    run(100);
    simulation_->lost(in_flight());
    const std::uint64_t lost = exchange_;
    run(100);
    const std::uint64_t later = exchange_;
    run(300);
    const auto [right, all] = right_of(later);
    EXPECT_GT(all, 200);
    EXPECT_EQ(right, all);
    right_of(lost);  // what is told of the time between is right, too
}

TEST_F(SaturatedPool, IsFollowedAgainWhenItBeginsAnewAmidIt) {
    run(100);
    simulation_->begin_anew(in_flight());
    run(100);
    const std::uint64_t later = exchange_;
    run(300);
    const auto [right, all] = right_of(later);
    EXPECT_GT(all, 200);
    EXPECT_EQ(right, all);
}

TEST_F(SaturatedPool, NothingIsToldWhileAnyIsInFlightWhoseBeginWasNotSeen) {
    run(50);
    simulation_->lost(in_flight());
    verdicts_.clear();
    const std::uint64_t lost = exchange_;
    run(4);
    simulation_->finish();
    collect();
    const auto [right, all] = right_of(lost);
    EXPECT_GT(all, 0);
    EXPECT_EQ(right, 0);
}

}  // namespace
}  // namespace timesink::infer
