#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "net/connection.hpp"
#include "request/exchange.hpp"
#include "request/route.hpp"
#include "request/unit.hpp"

namespace timesink::request {

/// Units that come by a queue instead of a request: the reply that hands a job out begins one, and the call that settles it ends
/// it. Of an exchange with a queue its parser says what it does, by OpenTelemetry's names: messaging.operation.type ("send",
/// "receive", "settle"), messaging.destination.name, messaging.message.id of what is settled, and of an answer
/// messaging.answered.id (.name): of the job that was added or taken; of several that were added, each behind its queue's name.
/// Owned by Tracker.
class Jobs {
public:
    explicit Jobs(RouteTable& routes) : routes_(routes) {}

    /// Says of a call what it does to a queue.
    static void recognise(Exchange& exchange);
    /// The job that this answer hands out, without its number; null: it hands out none. It is to be told of behind the answer,
    /// and until then stays where it is. `before`: it was in this worker's hands already, who must have lost it.
    [[nodiscard]] Unit* taken(const Exchange& exchange, std::optional<Unit>& before);
    /// The job that this call, which has just been told of, settles.
    [[nodiscard]] std::optional<Unit> settled(const Exchange& exchange);
    /// A job that was settled before whoever added it had read that it is in its queue.
    struct AddedLate {
        UnitId job{};
        ExchangeId by{};
        Instant at{};
    };
    /// Since the last call: of the answers that taken() was told of.
    [[nodiscard]] std::vector<AddedLate> take_added_late() { return std::exchange(added_late_, {}); }
    /// One of those that were taken on this connection and will not be seen to be settled; empty: there is none left.
    [[nodiscard]] std::optional<Unit> left(SocketId connection, Exclusion why);
    /// One of all: the run is over.
    [[nodiscard]] std::optional<Unit> left();

private:
    /// A worker and its job. Where the queue is, its processes may see under different addresses.
    struct Key {
        ProcessId process{};  ///< zero: whoever takes it
        std::uint16_t port = 0;
        std::string queue;
        std::string id;
        friend bool operator<(const Key& a, const Key& b) {
            return std::tie(a.process, a.port, a.queue, a.id) < std::tie(b.process, b.port, b.queue, b.id);
        }
    };
    struct Open {
        Unit unit;
        SocketId connection{};
    };
    struct Added {
        ExchangeId exchange{};
        Instant at{};
    };
    struct Settled {
        Key key;
        UnitId job{};
        Instant begin{};
    };
    void all_added(const Exchange& exchange);
    void added(const Exchange& exchange, Key key);
    void join(Unit& unit, Key key);
    [[nodiscard]] std::optional<Unit> give_up(std::map<Key, Open>::iterator at, Exclusion why);
    [[nodiscard]] static Key key_of(const Exchange& exchange, std::string_view id, ProcessId process);

    RouteTable& routes_;
    std::map<Key, Open> open_;
    std::map<Key, Added> added_;
    std::deque<Key> oldest_added_;
    std::deque<Settled> settled_;  // the latest of which it is not known who added them
    std::vector<AddedLate> added_late_;
};

}  // namespace timesink::request
