#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "attribute/answered.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

/// What a goroutine serves, one unit after another.
struct Service {
    std::vector<UnitId> reading;  ///< in flight, read in it or in one that it made
    bool several = false;         ///< has had more than one of them: an event loop, or HTTP/2's streams
    Instant read{};               ///< the latest of them was read
    Instant end{};                ///< of the unit that it answered last; zero: none yet
    AnsweredRef answered;         ///< that unit
    /// What the goroutines hold that were made for the unit in flight; null: none were. Filled in when it has been answered.
    std::shared_ptr<AnsweredRef> made_for;
};

/// Of a connection's context: work that a unit left behind is looked for among these.
inline constexpr std::size_t kMostServed = 4;

/// A context of a language runtime, from its making until nothing asks for it any more. Shared by Contexts, the contexts copied
/// from it, and what was sent in it.
struct Context {
    Instant made{};  ///< zero: not seen, so it is older than what was seen of it
    std::shared_ptr<Context> parent;
    unsigned depth = 0;          ///< at least as many ancestors as are known
    Instant elsewhere{};         ///< it last sent something that nobody else can have sent; zero: never
    UnitId unit{};               ///< whose work runs in it and in its copies; zero: not known yet, or no unit's
    AnsweredRef answered;        ///< that unit, if what it goes on doing here is its own; null: it is not known to be
    bool serves_others = false;  ///< another unit was read or answered here
    // See ConnectionContexts
    SocketId answers_for{};              ///< of the first unit that was answered in it or in a copy
    std::uint32_t units_answered = 0;    ///< as far as they are counted: while they are of one connection
    bool answers_for_several = false;    ///< they are of several
    bool counts_as_connections = false;  ///< it is a connection's outermost own
    bool is_connections = false;         ///< it is a connection's own
    std::size_t latest_route = 0;        ///< and answered this one last, by its hash,
    Instant latest_end{};                ///< then
    std::vector<AnsweredRef> served;     ///< the latest units that were alone in it, at most kMostServed
    // Goroutines
    std::uint32_t start = 0;                ///< what it runs; zero: not known
    bool strayed = false;                   ///< it sent something when the unit was over in whose time it was made
    std::uint32_t sent_within = 0;          ///< how often it sent something while that might be in flight
    std::uint32_t sent_after = 0;           ///< and when it was over
    std::shared_ptr<AnsweredRef> made_for;  ///< Service::made_for of its parent, when it was made
    std::unique_ptr<Service> service;       ///< null: it has read and answered nothing
};
using ContextRef = std::shared_ptr<Context>;

/// Who was copied from whom. The runtime uses ids again, so each making begins another context of that id.
/// A goroutine is told of twice, by its birth name and by its number: these are two names of one context.
/// Bounded: an id has one context and the one before; chains are cut at kDeepest (a timer that sets itself again copies a copy
/// for ever); ids that nobody asked for while kMostIds others came up are forgotten, at the latest when twice as many have.
class Contexts {
public:
    static constexpr unsigned kDeepest = 128;
    static constexpr std::size_t kMostIds = std::size_t{1} << 16U;

    void on(const event::Lineage& lineage);
    /// Who had this id then. Null: no id, or its maker's record may be among what is forgotten.
    [[nodiscard]] ContextRef find(ProcessId process, ContextId id, Instant at);
    /// The process is gone, and its ids may be another's.
    void ended(ProcessId process) { processes_.erase(process); }
    /// Events were lost: any id may have changed hands unseen.
    void lost() { processes_.clear(); }

private:
    struct Holder {
        ContextRef now;
        ContextRef before;
    };
    using Holders = std::unordered_map<ContextId, Holder>;
    struct InProcess {
        Holders young;
        Holders old;
    };
    static Holder& holder_of(InProcess& process, ContextId id);
    static void limit_depth(Context& fresh);

    std::map<ProcessId, InProcess> processes_;
};

}  // namespace timesink::attribute
