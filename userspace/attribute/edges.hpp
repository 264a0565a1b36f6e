#pragma once

#include <memory>
#include <vector>

#include "attribute/account.hpp"
#include "base/id_map.hpp"

namespace timesink::attribute {

/// Which exchange of one traced process is which unit of another: both ends of a connection are seen, so its two sockets have the
/// same ends, mirrored. On loopback they are in the same network namespace, too; elsewhere addresses tell hosts and containers
/// apart.
///
/// An exchange that is open on that connection, and was sent before the unit's first byte was in the server's kernel, is the
/// unit's. When there are several (pipelining, streams), the one whose first byte has the same position in the stream; none,
/// and there is no edge. Unix sockets have no ends of their own to go by, so they have no edges.
/// Bounded by the exchanges in flight.
class Edges {
public:
    void sent(const request::Exchange& exchange);
    void answered(const request::Exchange& exchange);
    /// The exchange that it answers; zero: none that is known.
    [[nodiscard]] ExchangeId began(const request::Unit& unit);

private:
    /// A hash of both ends: of addresses, ports and, on loopback, the namespace. 64 bits: two of ten thousand connections have
    /// the same one once in 10^11 runs, and then the times must fit as well.
    enum class Ends : std::uint64_t {};
    struct Open {
        ExchangeId exchange{};
        Instant sent{};
        std::uint64_t position = 0;
        bool taken = false;  // a unit has been found for it
    };
    static Ends ends_of(const event::Endpoint& client, const event::Endpoint& server, std::uint32_t network_namespace);

    IdMap<Ends, std::vector<Open>> open_;
};

/// The accounts of callees, kept until those of their callers are drawn, and what they say about these. A callee's answer is
/// written before its caller reads it, so callees are drawn first; the account of one that ended later is not waited for. Bounded
/// by the exchanges in flight, and by kMostPieces for each.
class InsideCalls {
public:
    static constexpr std::size_t kMostPieces = 4096;  ///< of one callee; beyond, it is not opened

    /// The unit is the other end of an exchange that is in flight.
    void expect(UnitId callee) { expected_[callee]; }
    /// Its account has been drawn.
    void drawn(UnitId callee, const std::vector<Piece>& pieces);
    /// Null: nothing is known. `pieces`: the account of the owner.
    [[nodiscard]] std::shared_ptr<const Inside> of(const OwnedExchange& owned, const std::vector<Piece>& pieces) const;
    void forget(UnitId callee) { expected_.erase(callee); }

private:
    IdMap<UnitId, std::vector<Piece>> expected_;  // empty: not drawn yet
};

}  // namespace timesink::attribute
