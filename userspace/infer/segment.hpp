#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace timesink::infer {

/// What a statement looks like and where it goes: a hash of its fingerprint and its pool. Zero: not known.
enum class Shape : std::uint64_t {};
/// All connections of a thread to one server. Numbered by the giver of segments, per loop.
enum class PoolId : std::uint32_t {};
/// A route of requests, numbered by the giver of segments, per loop.
enum class RouteId : std::uint32_t {};
/// Of units whose begin was not seen.
constexpr RouteId kUnknownRoute{0xffffffff};

/// Who asked, as far as the loop tells without any inference.
enum class Sender : std::uint8_t {
    unit,     ///< nothing speaks against those in flight
    unclear,  ///< it need not be one of them
    nobody,   ///< it is none of them
};

/// Why a segment runs: a request was read, or a reply. A read may bring several.
struct Stimulus {
    UnitId unit{};  ///< of a request; zero: a reply
    RouteId route{};
    RouteId named = kUnknownRoute;  ///< of a request: its own route, where `route` is the family of that
    ExchangeId exchange{};          ///< of a reply
    SocketId connection{};          ///< ditto
    Sender sender = Sender::unit;   ///< ditto: whom it answers
    bool transaction = false;       ///< ditto: the connection stays with its owner
    Shape prepared{};               ///< ditto: was prepared, and is executed next, by the same owner; zero: nothing was
    Shape nameless{};               ///< ditto: the shape that its statement was sent with, being nameless; zero: it was not
    Shape meaning{};                ///< ditto: what that is on this connection, as the answer says; zero: it does not
};

/// What a segment did that is seen from outside, in order.
struct Act {
    enum class Kind : std::uint8_t {
        statement,  ///< an exchange was sent
        connect,    ///< a connection was begun
        response,   ///< the last byte of a response was written
        abandoned,  ///< a unit ended without its response: the client went away
    };
    Kind kind = Kind::statement;
    UnitId unit{};          ///< response, abandoned
    ExchangeId exchange{};  ///< statement
    SocketId connection{};  ///< statement, connect
    PoolId pool{};          ///< ditto
    Shape shape{};          ///< statement
    bool may_wait = false;  ///< connect, statement: callers may queue for a connection of this pool
    bool late = false;      ///< statement: this pool's driver writes at the end of turns only, in the order in which it was asked
    bool nameless = false;  ///< statement: prepared before we could see. Its shape is that of its name, of which connections may
                            ///< have one each
    UnitId certain{};       ///< statement: the owner, where it is known otherwise
    bool nobodys = false;   ///< statement: of none in flight
    Instant at{};
};

/// What an event-loop thread does from one read to the next read, wait or phase that is told. Node drains promises and ticks
/// after every callback, so what a segment writes is caused by what it read; or, in the last segment of a turn, by timers and
/// immediates. A turn in which nothing was seen is an empty segment.
struct Segment {
    Instant at{};          ///< the read's exit; of a turn that read nothing: its first call
    Instant turn_begin{};  ///< when the thread came back from its wait: timers that are set meanwhile count from then
    Instant end{};         ///< when its last call returned or, where that is known, the thread went to wait
    std::vector<Stimulus> stimuli;
    std::vector<Act> acts;
    bool waited = false;      ///< the thread was blocked until turn_begin: no timer was due before
    bool last = false;        ///< the thread went to wait behind it
    bool immediates = false;  ///< those that were set in the turn run at its end
    // Where the runtime tells (Phases):
    bool timers = false;         ///< timers run in it
    Instant immediate_set_at{};  ///< the turn's first; zero: not in this segment
};

/// What a runtime tells of its event loops beyond their calls.
struct Phases {
    bool timers = false;      ///< that they run
    bool immediates = false;  ///< when the first of a turn is set
};

/// How an owner was found; for people who ask why.
enum class Reason : std::uint8_t {
    request,      ///< sent in the segment that read the request
    reply,        ///< sent in the segment that read the owner's reply
    kept,         ///< the owner kept the connection whose reply was read
    transaction,  ///< the connection was inside the owner's transaction
    deferred,     ///< at the end of the turn that read the owner's reply or request: an immediate
    waited,       ///< the owner had waited longest for a connection of the pool
    woke,         ///< sent by a hidden wake: a timer, an immediate, a worker thread
    connected,    ///< on a connection that the owner had opened for it
    alone,        ///< nobody else was in flight
    unexplained,
};

/// Whose an exchange is, with what speaks for it.
struct Verdict {
    ExchangeId exchange{};
    UnitId unit{};       ///< zero: not known
    double margin = 0;   ///< 0…1: the probability that `unit` is right
    UnitId runner_up{};  ///< zero: none
    double runner_up_margin = 0;
    Reason reason = Reason::unexplained;
    ExchangeId cause{};              ///< the exchange whose reply was read in the segment that sent it; zero: none
    std::vector<UnitId> candidates;  ///< as good as certainly one of these; empty: that is not known
};

}  // namespace timesink::infer
