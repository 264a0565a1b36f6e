#pragma once

#include <map>
#include <vector>

#include "attribute/contexts.hpp"
#include "base/id_map.hpp"
#include "request/tracker.hpp"

namespace timesink::attribute {

/// Who sent what on connections that carry several requests at the same time (HTTP/2 of event loops). Fed with the frames of
/// requests as they are written; tells the sender of an exchange once it is certain. Owned by Attribution.
///
/// Libraries put a request's frames into a buffer, and then the task that put them there, and any that reads an answer, takes its
/// turn under a lock, first come, first served, and writes what the buffer holds by then. So whoever writes has a request of
/// its own there, not answered or still to be read, and what it writes begins with its own, or has nothing of its own (another
/// wrote that before). So the writer is the sender of one of the requests whose sender is not known: not of those that were
/// written before its context was made or did something elsewhere, and not of one whose frame stands behind another's in its
/// call. While these are all open, each of its later calls leaves only those that are known by then. When one is left, that is
/// its own.
///
/// When an answer has been read is not seen: it may lie in the library's memory for as long as others wait for the reading
/// lock. So a context that has had a request there says nothing until it has sent something on another connection.
///
/// Not by votes: two tasks that wait for each other's lock write each other's frames, turn by turn (httpcore), all three of
/// a POST. Nor by who wrote when nobody waited: a reader may give way between taking the lock and the buffer. A context that is
/// older than the attach says nothing. Threads get locks in any order: of theirs only what is alone on its connection is told.
///
/// Channels of RabbitMQ share a connection, too, but no library writes there what others have put into a buffer: its callers
/// write themselves (pika, py-amqp), or a task of the connection writes for all (aiormq), which that connection's maker made. So
/// once two contexts have written of which neither comes from the other, they are callers, and each has sent what it writes.
class StreamSenders {
public:
    struct Decision {
        ExchangeId exchange{};
        ContextRef sender;
    };
    static constexpr std::size_t kMostSuspects = 512;    ///< of one connection
    static constexpr std::size_t kMostRemembered = 512;  ///< requests of one connection; contexts older than these say nothing
    static constexpr std::size_t kMostIdle = 256;        ///< connections without an open request that are remembered

    /// Told before its first frame.
    void opened(const request::Exchange& exchange);
    /// `writer`: null: it is not known. Appends what this decides.
    void carried(const request::Carried& frame, const ContextRef& writer, std::vector<Decision>& decisions);
    /// Several threads use this connection, and several requests are open there: which thread wrote one says nothing.
    [[nodiscard]] bool mixes_threads(SocketId socket) const;
    /// Answered, or given up: nothing more is decided of it.
    void closed(const request::Exchange& exchange, Instant at);
    /// Contexts may have been made, or changed their names, unseen.
    void lost();

private:
    struct Stream {
        ExchangeId exchange{};
        Instant sent{};
        Instant closed = Instant::max();
        ContextRef sender;  // null: not known
    };
    /// Who has written, and has one of these open.
    struct Suspect {
        ContextRef context;
        std::vector<ExchangeId> may_be;
    };
    struct OnConnection {
        std::vector<Stream> streams;  // in order of sending; the latest
        Instant forgotten{};          // when the latest was sent that is not among them; zero: all are
        std::vector<Suspect> suspects;
        ThreadId thread{};
        bool several_threads = false;
        bool buffers = true;  ///< whoever writes next writes what others have queued
        ContextRef first_writer;
        bool callers_write = false;
        // Of the latest call
        Instant at{};
        ContextRef writer;
        bool begins_with_frame = false;
    };
    static void forget(OnConnection& connection);
    static std::size_t open(const OnConnection& connection);
    void limit();
    static bool written_by_callers(OnConnection& connection, const ContextRef& writer);
    static bool is_open(const OnConnection& connection, ExchangeId id);
    static bool says_nothing(const OnConnection& connection, const ContextRef& writer);
    static std::vector<ExchangeId> unknown_to(const OnConnection& connection, const Context& writer);
    static void suspect(OnConnection& connection, const ContextRef& writer);
    static void decide(OnConnection& connection, ExchangeId exchange, const ContextRef& sender, std::vector<Decision>& decisions);
    static void settle(OnConnection& connection, std::vector<Decision>& decisions);

    IdMap<SocketId, OnConnection> connections_;
};

}  // namespace timesink::attribute
