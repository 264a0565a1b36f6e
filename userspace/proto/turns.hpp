#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "proto/parser.hpp"

namespace timesink::proto {

/// Given to responses whose request was not seen (asked before the attach, or lost). Real correlations count from 1.
inline constexpr Correlation kNobody{0};

/// Requests of one connection that wait for their response, for protocols that answer in order and number nothing. Owned by a
/// parser.
///
/// The danger is a gap: when an unknown number of requests or responses went unseen, every later pair would be shifted. So
/// pairing is suspended (requests are numbered, but not answerable) until the ends are known to be level again. Without ids in
/// the protocol only one thing tells that: a client that takes turns asks again only when everything was answered. A client
/// that has been seen to ask with an answer outstanding (`interleaved`) gives no such proof; its connection stays unpaired after
/// a loss, rather than wrong. Rejected: aligning by counting, for how many were lost is never known.
///
/// | event                                    | certain          | suspended                                      |
/// |------------------------------------------|------------------|------------------------------------------------|
/// | request begins                           | answerable       | level again? -> certain; else not answerable   |
/// | response begins                          | the oldest's     | the oldest's if asked before the loss, else nobody's |
/// | requests lost                            | -> suspended     |                                                |
/// | responses lost                           | -> suspended, all that wait are given up |                        |
template <typename Asked>
class Turns {
public:
    /// Beyond, something is amiss (responses not seen at all); bounds the memory of a connection.
    static constexpr std::size_t kMaximumOpen = std::size_t{16} * 1024;

    /// A new request begins. True when its sender takes turns and has heard from the other end since it last asked: then
    /// everything before is over.
    [[nodiscard]] bool turn_begins() {
        const bool turn = heard_ && !interleaved_;
        if (heard_ && !open_.empty()) {
            open_.front().overlapped = true;
        }
        heard_ = false;
        return turn;
    }
    /// Bytes of a response were seen.
    void hear() { heard_ = true; }

    Correlation ask(Asked asked) {
        const Correlation correlation{++last_};
        open_.push_back({correlation, certain_, false, std::move(asked)});
        return correlation;
    }

    /// For a request that will not be answered.
    Correlation number_unanswered() { return Correlation{++last_}; }

    /// The request that the next response answers; null: nobody's that is known.
    [[nodiscard]] Asked* answering() { return answerable() ? &open_.front().asked : nullptr; }
    [[nodiscard]] Correlation answering_correlation() const { return answerable() ? open_.front().correlation : kNobody; }
    void answered() {
        // Only now is it sure that the next request had been sent before this answer was over: a lost answer looks the same.
        interleaved_ = interleaved_ || open_.front().overlapped;
        open_.pop_front();
    }

    /// The oldest was cut off: its answer tells nothing of the order.
    void drop_oldest() { open_.pop_front(); }

    [[nodiscard]] bool certain() const { return certain_; }
    [[nodiscard]] bool full() const { return open_.size() >= kMaximumOpen; }
    [[nodiscard]] std::size_t open() const { return open_.size(); }

    /// Requests may have gone unseen. Those that wait are older and stay answerable.
    void lose_requests() { certain_ = false; }
    /// Both ends are level: whoever still waits will not be answered. Returns these, oldest first.
    [[nodiscard]] std::vector<Correlation> level() {
        certain_ = true;
        return give_up();
    }
    /// Responses may have gone unseen.
    [[nodiscard]] std::vector<Correlation> lose_responses() {
        certain_ = false;
        return give_up();
    }

private:
    struct Entry {
        Correlation correlation;
        bool answerable;
        bool overlapped;  ///< a later request began after some response bytes, and this one was still open
        Asked asked;
    };
    [[nodiscard]] bool answerable() const { return !open_.empty() && open_.front().answerable; }
    std::vector<Correlation> give_up() {
        std::vector<Correlation> lost;
        lost.reserve(open_.size());
        for (const Entry& entry : open_) {
            lost.push_back(entry.correlation);
        }
        open_.clear();
        return lost;
    }

    std::deque<Entry> open_;
    std::uint64_t last_ = 0;
    bool certain_ = true;
    bool interleaved_ = false;
    bool heard_ = false;
};

}  // namespace timesink::proto
