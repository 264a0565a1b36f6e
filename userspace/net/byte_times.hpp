#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.hpp"
#include "base/ring.hpp"
#include "base/time.hpp"

namespace timesink::net {

/// When and by whom one byte of a stream was moved.
struct Moment {
    bool known = false;          ///< a call that moved it was seen
    bool arrival_known = false;  ///< read bytes only
    bool begins_call = false;  ///< it is the first byte that the call moved, or the first of what a TLS library was given at once
    Instant arrived{};         ///< in the kernel socket; == entered for written bytes
    Instant entered{};         ///< of the call that moved it
    Instant exited{};
    ThreadId thread{};
    ProcessId process{};
    ContextId context{};  ///< current on the thread; zero: none, or not known
};

/// The times of one direction of a connection, by stream position. Owned by its Connection. Holds the latest calls and arrivals
/// only (kKept; of those that are older than kKeptFor kKeptAnyhow, for connections are many): messages are resolved when they are
/// parsed, and a message's first byte is never further back than that except behind a pipeline of more calls than kept, which
/// then reports the oldest known time as not known.
class ByteTimes {
public:
    static constexpr std::size_t kKept = 512;
    static constexpr std::size_t kKeptAnyhow = 64;
    static constexpr Duration kKeptFor = std::chrono::seconds(10);

    void moved(std::uint64_t begin, std::uint64_t end, Instant entered, Instant exited, ThreadId thread, ProcessId process,
               ContextId context = {});
    /// Bytes up to `stream_end` are in the kernel.
    void arrived(std::uint64_t stream_end, Instant at);
    /// Something arrived, no one said how much (unix sockets): settled by the next read.
    void arrived_somewhat(Instant at);
    /// A read on a socket whose arrivals carry no positions. `one`: of one datagram, which arrived by itself.
    void settle_arrivals(std::uint64_t begin, std::uint64_t end, Instant exited, bool one);
    /// It is not known any more what those that are not settled were of.
    void forget_arrivals() { unsettled_ = {}; }

    /// Up to where bytes are known to be in the kernel; 0: of none.
    [[nodiscard]] std::uint64_t reached() const { return reached_.empty() ? 0 : reached_.back().end; }
    /// Of the byte at `position` (a message's last byte is at end - 1).
    [[nodiscard]] Moment at(std::uint64_t position) const;

private:
    struct Move {
        std::uint64_t begin;
        std::uint64_t end;
        Instant entered;
        Instant exited;
        ThreadId thread;
        ProcessId process;
        ContextId context;
    };
    struct Reach {
        std::uint64_t end;
        Instant at;
    };
    Ring<Move> moves_;              // ascending in position
    Ring<Reach> reached_;           // ascending in position and time
    bool forgot_arrivals_ = false;  // of those in front of `reached_`
    Ring<Instant> unsettled_;
    std::optional<Instant> last_settled_;
};

}  // namespace timesink::net
