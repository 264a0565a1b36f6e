#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/turns.hpp"

namespace timesink::proto::memcached {

/// The exchanges of a connection whose server answers in order: what both of memcached's protocols have in common. Owned by their
/// parsers.
template <typename Asked>
class Answers {
public:
    /// A request begins at a place where the client is known to have been heard. `lost`: the answers cannot be followed where
    /// they are; true is returned when they can be again, from the next byte on.
    bool before_asking(bool lost, std::uint64_t heard, Sink& sink) {
        const bool turn = turns_.turn_begins();
        bool found = false;
        if (turn && (lost || open_)) {
            over(heard, false, sink);
            give_up(turns_.level(), heard, sink);
            found = true;
        } else if (turn && !turns_.certain() && turns_.answering() == nullptr) {
            give_up(turns_.level(), heard, sink);
        }
        if (turns_.full()) {
            over(heard, false, sink);
            give_up(turns_.lose_responses(), heard, sink);
        }
        return found;
    }
    Correlation ask(Asked asked) { return turns_.ask(std::move(asked)); }
    Correlation number_unanswered() { return turns_.number_unanswered(); }
    void hear() { turns_.hear(); }
    [[nodiscard]] Asked* asked() { return turns_.answering(); }
    [[nodiscard]] bool open() const { return open_; }
    /// Of the answer in progress: its End in the making.
    End& end() { return end_; }

    void begin(std::uint64_t position, Sink& sink) {
        if (open_) {
            return;
        }
        open_ = true;
        end_ = End{.direction = Direction::response, .correlation = turns_.answering_correlation()};
        sink.head({.direction = Direction::response, .correlation = end_.correlation, .begin = position});
    }
    void over(std::uint64_t position, bool complete, Sink& sink) {
        if (!std::exchange(open_, false)) {
            return;
        }
        if (end_.correlation == turns_.answering_correlation() && end_.correlation != kNobody) {
            complete ? turns_.answered() : turns_.drop_oldest();
        }
        end_.end = position;
        end_.complete = complete;
        sink.end(end_);
    }
    void lose_requests() { turns_.lose_requests(); }
    /// `may_go_on`: the one answer that is awaited is the one in progress, and its end may still be recognised.
    void lose_answers(std::uint64_t position, bool may_go_on, Sink& sink) {
        if (!(may_go_on && alone())) {
            over(position, false, sink);
            give_up(turns_.lose_responses(), position, sink);
        }
    }
    [[nodiscard]] bool alone() const { return open_ && turns_.certain() && turns_.open() == 1; }

private:
    /// They will not be answered, as far as can be told: an End without a Head.
    static void give_up(const std::vector<Correlation>& lost, std::uint64_t position, Sink& sink) {
        for (const Correlation correlation : lost) {
            sink.end({.direction = Direction::response,
                      .correlation = correlation,
                      .end = position,
                      .error = "lost",
                      .complete = false});
        }
    }

    Turns<Asked> turns_;
    bool open_ = false;
    End end_;
};

}  // namespace timesink::proto::memcached
