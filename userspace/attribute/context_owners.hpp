#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "attribute/connection_contexts.hpp"
#include "attribute/contexts.hpp"
#include "attribute/goroutines.hpp"
#include "attribute/live_unit.hpp"
#include "attribute/owners.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

/// Owners by the runtime's own contexts: evidence `context`.
///
/// A unit's *root* is the context in which its work began: of the context in which the end of its response was written (or, where
/// that tells nothing, its begin) and those that was copied from, the outermost that was made while the unit was in flight.
/// Event-loop servers start a task for each request, and each task has a context of its own, so the root is that task's; its
/// child tasks and the threads that it hands work to run in copies. An exchange that was sent in the root or below it, while the
/// unit was in flight, is the unit's.
///
/// What is sent is known before the response is, so an exchange waits for its owner until a unit claims it, or until all units
/// that were in flight when it was sent have ended. Then what the thread tells (`fallback`) stands, unless the contexts speak
/// against it. Contradictions are ambiguous: a root that two units claim.
///
/// What is sent in or below the root of a unit that has been answered is its background work (Owner::after), or below a copy of
/// its connection's context that was made in its time, and in Go what
/// goroutines send that were made for it, if what they run is believed to go on for its maker. Not if another unit was read or
/// answered in that root: then it is a task of the connection or of the server, and what it sends between units is nobody's.
///
/// A context that was made before the unit began (a thread's own, the loop's) is no root: it may be another's as well. Unless it
/// is known to be a connection's: connection_contexts.hpp. Goroutines serve one unit after another on a connection, so a
/// goroutine that is older than the unit, but read and answered it, is the unit's for that time: goroutines.hpp.
///
/// Not decided when sent, by who read the request last in the parent context: servers that read ahead, or in a task of the
/// connection, would be wrong; the response's writer cannot be.
class ContextOwners {
public:
    static constexpr std::size_t kMostWaiting = 16384;  ///< of one process; beyond, the oldest are decided by what is known

    struct Decision {
        ExchangeId exchange{};
        Owner owner;
    };

    void on(const event::Lineage& lineage);
    void lost(Instant at);
    void ended(ProcessId process);

    void began(const LiveUnit& live);
    /// Its response begins. Long ones end when the context is gone, and its id another's.
    void answering(const request::Unit& unit);
    /// The unit has ended: appends what this decides. False: of something that waits it is not known whether it is this unit's.
    [[nodiscard]] bool ended(const LiveUnit& live, std::vector<Decision>& decisions);
    /// True: the owner is not known yet, a decision will come. False: `owner` stands, or was set.
    bool sent(const request::Exchange& exchange, Owner& owner, std::vector<Decision>& decisions);
    /// The same of one that was sent in this context, by a task of an event loop; told later than it was sent.
    bool sent_by(const ContextRef& sender, ExchangeId exchange, ProcessId process, Instant sent, Owner& owner,
                 std::vector<Decision>& decisions);
    /// Who had this id then; null: none that is known.
    [[nodiscard]] ContextRef context(ProcessId process, ContextId id, Instant at) { return contexts_.find(process, id, at); }
    /// Every making of contexts has been seen since this one was made, so its owner cannot be in doubt for a loss.
    [[nodiscard]] bool certain(const request::Exchange& exchange);
    /// What was sent before has been decided.
    [[nodiscard]] Instant decided_until() const;
    /// The run is over: decides the rest.
    void finish(std::vector<Decision>& decisions);

private:
    struct Waiting {
        ExchangeId exchange{};
        ContextRef sent_in;
        Instant sent{};
        Owner fallback;
        Evidence evidence;  // if it is claimed
        AnsweredRef after;  // goroutines: whose background work it is; null: not known
        bool between;       // sent by a server that had answered one unit, and of the next no more than a byte
    };
    struct Reader {
        ContextRef goroutine;
        SocketId socket{};
    };
    struct InProcess {
        std::set<std::pair<Instant, UnitId>> active;  // when in flight since
        std::vector<Waiting> waiting;                 // in order of sending
        std::map<UnitId, Reader> readers;             // goroutines that read units in flight
        std::map<UnitId, ContextRef> answering;       // contexts in which their responses began
    };
    /// A unit that ends, and what its contexts say.
    struct Ending {
        const LiveUnit& live;
        ContextRef writer{};          // in which the end of its response was written; null: not known
        ContextRef server{};          // the goroutine that served it; null: none that is known
        bool contradicts = false;     // another unit claims its root
        bool known = false;           // where its work was done is known
        bool in_connections = false;  // it was answered in its connection's context
    };
    [[nodiscard]] Ending ending(const LiveUnit& live, InProcess& process);
    [[nodiscard]] std::optional<Owner> claimed_by(const Ending& ending, const Waiting& waiting);
    [[nodiscard]] static bool may_be_of(const Ending& ending, const Waiting& waiting);
    [[nodiscard]] static Owner unclaimed(const Ending& ending, const Waiting& waiting);
    [[nodiscard]] ContextRef root_of(const request::Unit& unit, Instant activated, InProcess& process);
    ContextRef server_of(const LiveUnit& live, InProcess& process);
    static ContextRef root_of(const ContextRef& answered_in, Instant activated);
    static void wait(InProcess& process, Waiting&& waiting, std::vector<Decision>& decisions);
    static void serves_several(const ContextRef& context, UnitId unit);
    static Context* claimed(const ContextRef& context);
    std::optional<goroutines::LeftBehind> left_behind_by_goroutine(const ContextRef& context, const request::Exchange& exchange);
    static Owner left_behind(const ContextRef& sent_in, Instant sent, Evidence evidence);
    static Owner without_claim(const Waiting& waiting, UnitId ended, bool others_known);
    static bool may_serve(const ContextRef& sent_in, const ContextRef& writer, Instant since);

    Contexts contexts_;
    ConnectionContexts connections_;
    std::map<ProcessId, goroutines::Functions> functions_;
    std::map<ProcessId, InProcess> processes_;
    Instant lost_{};
};

}  // namespace timesink::attribute
