#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "attribute/answered.hpp"
#include "attribute/live_unit.hpp"

namespace timesink::attribute {

/// When accounts of background work begin and end: what a request went on doing in its contexts after it had been answered.
///
/// The runtime does not tell when a task is over, only what is sent in its context. So the account
///  - begins when the request ended, if its first call was sent within kQuiet of that, else when that was sent: what a task does
///    before its first call is seen, but one that sleeps for an hour does not wait for an hour;
///  - ends when its last call was answered, which is known when nothing was sent for kQuiet after that;
///  - is cut off at kLongest, or at kMostCalls. A task that never ends (a refresher that the first request started) has one
///  account
///    after the other. What its threads did is kept for as long as the account may be drawn, so it cannot wait for ever.
/// Calls later than that begin another account of the same request (adr/0013).
///
/// Units are not owned. Bounded by what was sent in the last kLongest.
class Backgrounds {
public:
    static constexpr Duration kQuiet = std::chrono::seconds(5);
    static constexpr Duration kLongest = std::chrono::seconds(30);
    static constexpr std::size_t kMostCalls = 10000;

    /// The account that a call sent then belongs to; null: a new one is to be begun.
    [[nodiscard]] LiveUnit* find(UnitId request, Instant sent);
    /// `fresh` has its id; the rest is set here.
    void begin(LiveUnit& fresh, const Answered& request, Instant sent);
    /// A call was sent that will be answered some time, or given up.
    void sent(UnitId request);
    void answered(UnitId request, const request::Exchange& exchange);
    /// Those that are over, as nothing that was sent before `known` is to come any more. Their end is set; those of which no call
    /// was answered have none.
    [[nodiscard]] std::vector<LiveUnit*> take_ended(Instant known);

private:
    struct Open {
        LiveUnit* live = nullptr;  // null: it was cut off, but calls are open
        std::size_t open = 0;      // calls that have not been answered
        Instant latest{};          // when it did something last
        Instant look{};            // the earliest in due_
        Instant cut{};             // where the account before this one was cut off; zero: it was not
    };
    using AllOpen = std::map<UnitId, Open>;
    void end(AllOpen::iterator at);
    void look_when_due(UnitId request, Open& open);
    [[nodiscard]] static Instant due(const Open& open);

    AllOpen open_;                              // by request
    std::set<std::pair<Instant, UnitId>> due_;  // of each that has an account: when to look whether it is over
    std::vector<LiveUnit*> ended_;
};

}  // namespace timesink::attribute
