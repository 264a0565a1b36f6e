#pragma once

#include <map>
#include <set>

#include "attribute/thread_timeline.hpp"
#include "base/id_map.hpp"
#include "request/exchange.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Processes whose threads take up each other's work: tokio's multi-threaded scheduler, .NET's thread pool. A task that waits
/// there goes on in whichever worker is free, so what a thread sends need not be for the request that it read.
///
/// Told by a reply, or a response, that another thread read or wrote than the one that had asked for it, if both are threads that
/// read requests, and some thread takes as well as gives: a reactor that reads requests for its workers (Puma) only gives. A
/// thread pool's worker reads its own replies; where a thread of its own reads them for all (Lettuce, java.net.http), or writes
/// all responses, that one reads no requests, or reads and writes all of them. Go deals its work to its threads in the same way,
/// and says so by itself (Attribution::runs).
///
/// Or told by calls that were posted to a loop: several event loops read requests, and share their clients' connections (Netty:
/// reactor-netty's WebClient, Armeria). What a request has to send goes to the loop that has the connection, and is sent there in
/// a turn for which another thread of the process woke it and in which nothing had been read.
class Interchange {
public:
    /// So often, and once in so many, before it is believed: someone may finish another's call now and then.
    static constexpr unsigned kSeen = 2;
    static constexpr unsigned kOneIn = 20;

    void began(const request::Unit& unit) { processes_[unit.process].readers.insert(unit.thread); }
    /// True: it is known from now on. Told once for each process.
    bool ended(const request::Unit& unit) { return unit.complete && passed(unit.process, unit.thread, unit.answered_by); }
    bool answered(const request::Exchange& exchange);
    /// Whether another thread had it sent by this one, as far as is seen: a loop that is busy needs no waking. `elsewhere`: other
    /// threads of the process have units in flight.
    [[nodiscard]] bool posted(const request::Exchange& exchange, bool elsewhere, const Timelines& timelines) const;
    bool sent(const request::Exchange& exchange, bool posted);
    void exited(ThreadId thread, ProcessId process);
    /// The process is gone.
    void ended(ProcessId process) { processes_.erase(process); }

private:
    struct InProcess {
        std::set<ThreadId> readers;  ///< threads that have read requests, while they live
        std::uint64_t kept = 0;      ///< replies and responses that came by the thread which had asked or been asked
        std::uint64_t passed = 0;    ///< and by another
        std::set<ThreadId> gave;     ///< of the readers: asked, and another went on
        std::set<ThreadId> took;     ///< went on with what another had asked
        bool mutual = false;         ///< one has done both
        std::uint64_t own = 0;       ///< sent by readers, and not seen to be posted
        std::uint64_t posted = 0;    ///< seen to be
        bool known = false;
    };
    bool passed(ProcessId process, ThreadId from, ThreadId to);

    std::map<ProcessId, InProcess> processes_;
};

}  // namespace timesink::attribute
