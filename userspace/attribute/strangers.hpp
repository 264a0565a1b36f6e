#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/id_map.hpp"
#include "base/ids.hpp"
#include "infer/segment.hpp"

namespace timesink::attribute {

/// What an event loop does beside its requests: a queue's worker in the same process, jobs that a request began and that outlived
/// it. That one unit is in flight on the thread does not say that what is sent then is its; what the thread has just read does.
/// What is sent in the segment that read a reply to nobody in flight is nobody's, unless somebody may have waited for that very
/// connection. And where such doings use a pool, they wait for its connections, too, unseen: of what is handed on there nobody
/// can be sure.
///
/// One for each loop, owned by it; told in order of events. Bounded by exchanges in flight and open connections.
class Strangers {
public:
    using Sender = infer::Sender;
    struct Sent {
        ExchangeId exchange{};
        SocketId connection{};
        infer::PoolId pool{};
        bool may_wait = false;  ///< callers queue for connections of its pool
        bool nobodys = false;   ///< none was in flight
        UnitId certain{};       ///< the only one in flight; zero: there are several
        UnitId latest{};        ///< of those that have begun on this loop
    };

    /// Whose this is that is sent now, in the last of these segments of one turn. `phases`: timers and immediates are told.
    Sender sent(const Sent& what, std::span<const infer::Segment> turn, const infer::Segment& segment, bool phases);
    /// Its reply was read: for whom. `active`: units in flight, in the order of their begins.
    Sender answered(ExchangeId exchange, SocketId connection, bool stays, std::span<const UnitId> active);
    void closed(SocketId connection);
    void lost() { flights_ = {}; }

private:
    static constexpr std::uint32_t kRecent = 256;
    struct Flight {
        Sender sender = Sender::unit;
        UnitId certain{};
        UnitId latest{};
    };
    struct Connection {
        infer::PoolId pool{};
        std::uint32_t in_flight = 0;
        bool stays = false;
        [[nodiscard]] bool busy() const { return in_flight > 0 || stays; }
    };
    struct Pool {
        std::uint32_t open = 0;
        std::uint32_t busy = 0;
        std::uint32_t since_strangers = kRecent;  // statements
    };

    [[nodiscard]] Sender of(const Sent& what, std::span<const infer::Segment> turn, const infer::Segment& segment,
                            bool phases) const;
    [[nodiscard]] bool has_strangers(infer::PoolId pool) const;
    [[nodiscard]] bool another_is_idle(infer::PoolId pool, SocketId but) const;

    IdMap<ExchangeId, Flight> flights_;
    IdMap<SocketId, Connection> connections_;
    std::vector<Pool> pools_;
};

}  // namespace timesink::attribute
