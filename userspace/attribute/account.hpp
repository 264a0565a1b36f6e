#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "infer/segment.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

enum class Bucket : std::uint8_t { db, provider, transfer, overhead };
inline constexpr std::size_t kBucketCount = 4;

/// The lines below the buckets. docs/report-semantics.md defines each; the order is the order of the report.
enum class Cause : std::uint8_t {
    db_connect,
    db_queue,          ///< behind other statements on the same connection
    db_server,         ///< sent (or the connection became free) until the first byte of the reply was in the kernel
    db_result,         ///< first to last byte of the reply
    db_embedded,       ///< SQLite
    provider_connect,  ///< DNS, connect, TLS
    provider_queue,    ///< behind others on the same connection
    provider_first_byte,
    provider_body,
    transfer_request,   ///< the client's request body
    transfer_response,  ///< a client that reads slowly
    transfer_storage,   ///< object storage and bulk bodies
    cpu,
    run_queue,
    loop_busy,  ///< the event loop was busy with others
    pool_wait,
    lock,  ///< futex: locks, the GIL
    disk,
    page_fault,
    backlog,  ///< arrived in the kernel, not yet read
    sleep,
    unattributed,
};
inline constexpr std::size_t kCauseCount = 22;

Bucket bucket_of(Cause cause);
std::string_view name(Bucket bucket);  ///< "db", "provider", "transfer", "overhead"
std::string_view name(Cause cause);    ///< "db.server", "overhead.run_queue", …

enum class Evidence : std::uint8_t { none, thread, context, goroutine, propagated, inferred, ambiguous };
std::string_view name(Evidence evidence);
inline constexpr std::size_t kEvidenceCount = 7;
/// By Evidence.
using EvidenceSet = std::bitset<kEvidenceCount>;

/// A stretch of a unit's time with one cause. `exchange`: whose, where the cause is an exchange's; else zero.
struct Piece {
    Interval span;
    Cause cause = Cause::unattributed;
    ExchangeId exchange{};
};

/// What the unit at the other end of an exchange (exchange.callee) did in the time that the exchange accounts for. Invariant:
/// by_cause and `between` sum exactly to the exchange's on_path.
struct Inside {
    std::array<Duration, kCauseCount> by_cause{};  ///< of the callee's account
    Duration between{};                            ///< outside of the callee's window: the network, and this end's own way
};

/// What an inferred or ambiguous owner rests on. Zero ids: there is none.
struct Grounds {
    UnitId likely{};     ///< the likeliest owner, also where it is not certain enough to be the owner
    UnitId runner_up{};  ///< the next
    double runner_up_margin = 0;
    infer::Reason reason = infer::Reason::unexplained;
    ExchangeId cause{};  ///< whose reply was read when this was sent
};

/// An exchange and what is known of its owner.
struct OwnedExchange {
    request::Exchange exchange;
    UnitId owner{};                        ///< zero: nobody's (background), or ambiguous
    Evidence evidence = Evidence::none;    ///< none: no unit was in flight
    double margin = 0;                     ///< 0…1; 1 for thread and context
    bool contradicted = false;             ///< it carries the id of another unit than its owner; the stronger evidence stands
    Bucket bucket = Bucket::provider;      ///< by rules
    Duration on_path{};                    ///< of the owner's wall time that this exchange accounts for
    Duration hidden{};                     ///< of its duration that others on the path cover
    std::shared_ptr<const Inside> inside;  ///< null: the other end is not traced, or its account is not known
    Grounds grounds;                       ///< inferred, ambiguous

    /// Of its duration, what does not account for its owner's time; zero where its end is not known. An engine in the process has
    /// its thread: while that had no CPU nothing was hidden.
    [[nodiscard]] Duration beside_the_path() const {
        const Duration length = exchange.engine != nullptr ? exchange.engine->inside - exchange.engine->runnable
                                                           : exchange.arrived_end - exchange.sent;
        return exchange.complete ? std::max(Duration{}, length - on_path) : Duration{};
    }
};

/// A finished unit with its account. Invariants: pieces are contiguous, in time order, from unit.begin to unit.end, none empty;
/// by_cause sums exactly to unit.end - unit.begin. Excluded units have no pieces.
struct Account {
    request::Unit unit;
    std::vector<Piece> pieces;
    std::array<Duration, kCauseCount> by_cause{};
    std::vector<OwnedExchange> exchanges;  ///< owned by this unit, in order of sending
    Duration hidden{};                     ///< of its exchanges, overlapped by what is on the path
    [[nodiscard]] Duration wall() const { return unit.end - unit.begin; }
};

/// What the analysis hands on. Exchanges of a unit come with its Account; those of nobody, and ambiguous ones, come alone.
class AccountSink {
public:
    virtual ~AccountSink() = default;
    virtual void account(const Account& account) = 0;
    virtual void stray(const OwnedExchange& exchange) = 0;
};

}  // namespace timesink::attribute
