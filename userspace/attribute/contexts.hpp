#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

/// A context of a language runtime, from its making until nothing asks for it any more. Shared by Contexts, the contexts copied
/// from it, and what was sent in it.
struct Context {
    Instant made{};  ///< zero: not seen, so it is older than what was seen of it
    std::shared_ptr<Context> parent;
    unsigned depth = 0;  ///< at least as many ancestors as are known
    UnitId unit{};       ///< whose work runs in it and in its copies; zero: not known yet, or no unit's
};
using ContextRef = std::shared_ptr<Context>;

/// Who was copied from whom. The runtime uses ids again, so each making begins another context of that id.
/// Bounded: an id has one context and the one before; chains are cut at kDeepest (a timer that sets itself again copies a copy
/// for ever); processes with more than kMostIds start over.
class Contexts {
public:
    static constexpr unsigned kDeepest = 128;
    static constexpr std::size_t kMostIds = std::size_t{1} << 18U;

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
    static void limit_depth(Context& fresh);

    std::map<ProcessId, Holders> processes_;
};

}  // namespace timesink::attribute
