#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "proto/parser.hpp"

namespace timesink::proto {

/// Requests of one connection that wait for their response, for protocols whose messages have numbers. Owned by a parser; the
/// counterpart of Turns. Losses cannot shift pairs here: a number that is not open answers nothing that is known.
template <typename Asked>
class Numbered {
public:
    static constexpr std::size_t kMaximumOpen = 4096;
    struct Open {
        Correlation correlation{};
        Asked asked;
    };

    /// A number that is in use again: the one before was lost; `give_up` gets its correlation.
    template <typename GiveUp>
    Correlation ask(std::uint64_t number, Asked asked, GiveUp give_up) {
        if (const auto before = open_.find(number); before != open_.end()) {
            give_up(before->second.correlation);
            open_.erase(before);
        }
        if (open_.size() >= kMaximumOpen) {
            give_up(open_.begin()->second.correlation);
            open_.erase(open_.begin());
        }
        const Correlation correlation{++last_};
        open_.emplace(number, Open{correlation, std::move(asked)});
        return correlation;
    }
    /// For a request that will not be answered.
    Correlation number_unanswered() { return Correlation{++last_}; }
    [[nodiscard]] Open* find(std::uint64_t number) {
        const auto found = open_.find(number);
        return found == open_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] bool empty() const { return open_.empty(); }
    void remove(std::uint64_t number) { open_.erase(number); }
    /// Those asked before that one, where the server answers in order: they will not be answered any more.
    template <typename GiveUp>
    void give_up_before(Correlation correlation, GiveUp give_up) {
        for (auto at = open_.begin(); at != open_.end();) {
            if (at->second.correlation < correlation) {
                give_up(at->second.correlation);
                at = open_.erase(at);
            } else {
                ++at;
            }
        }
    }

private:
    std::map<std::uint64_t, Open> open_;
    std::uint64_t last_ = 0;
};

}  // namespace timesink::proto
