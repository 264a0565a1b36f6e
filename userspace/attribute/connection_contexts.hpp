#pragma once

#include <map>
#include <set>

#include "attribute/contexts.hpp"
#include "base/id_map.hpp"
#include "request/unit.hpp"

namespace timesink::attribute {

/// Contexts of connections. Some servers run one task for each connection, and in it one request after another: Sanic, Tornado's
/// streams, whatever asyncio.start_server() calls, WebSocket handlers. Its context is older than the unit, and no child of it
/// that the unit answered in need be where the unit's calls were sent.
///
/// Told by what is answered where: a context that has answered, itself or by its copies, several units and all of one connection,
/// in a process where others do the same for other connections. That of the whole loop is none: it answers for all of them, and
/// where it is known, a copy of it that is older than the unit need have answered that one only. What is sent in such a context,
/// or in a copy that was made since the connection's unit began, while that is its only one in flight, is the unit's. Unless the
/// unit before is of a route that was seen to send something in its connection's context after it had been answered: the task may
/// go on with that one's work when the loop has read the next request already. Before that was seen it is told wrongly, so this
/// is inference.
///
/// Not by its making when the connection was accepted: connections that are older than the attach have not shown theirs.
class ConnectionContexts {
public:
    void began(const request::Unit& unit);
    /// Something was sent in a context of the process.
    void sent(ProcessId process, const ContextRef& sent_in);
    /// The unit has ended, and was answered in `writer` (null: not known). Returns whether that is a context of its connection,
    /// and the unit was alone on it.
    bool ended(const request::Unit& unit, const ContextRef& writer);
    /// That unit was its connection's only one, and answered in a context of it: what is copied from it in that time is its own.
    static void served(const ContextRef& writer, const AnsweredRef& unit);
    /// Whose work a copy goes on with that was made of the connection's context while the unit was in flight; null: nobody's that
    /// is known.
    static AnsweredRef made_for(const ContextRef& sent_in);
    /// The process is gone.
    void ended(ProcessId process) { processes_.erase(process); }

    /// Events were lost: contexts have changed hands, and units have ended unseen. What was learned of them counts no more.
    void lost();

    /// Sent in a context of the connection, or in a copy of it, or of a copy, whenever that was made.
    static bool descends_from(const ContextRef& sent_in, SocketId connection);
    /// Sent in a context of the connection, or in a copy of it, or of a copy, that was made since.
    static bool is_of(const ContextRef& sent_in, SocketId connection, Instant since);

private:
    struct Line {
        unsigned in_flight = 0;
        bool side_by_side = false;  ///< several were in flight at once since there was none
    };
    struct InProcess {
        IdMap<SocketId, Line> lines;  ///< of connections that have units in flight
        unsigned own = 0;             ///< contexts that have answered for one connection, more than once
        std::set<std::size_t> go_on;  ///< routes, by their hashes, at most kMostRoutes
    };
    static void answers_for_several(Context& context, InProcess& process);

    std::map<ProcessId, InProcess> processes_;
};

}  // namespace timesink::attribute
