#include "attribute/contexts.hpp"

#include <utility>

namespace timesink::attribute {

void Contexts::on(const event::Lineage& lineage) {
    auto fresh = std::make_shared<Context>();
    fresh->made = lineage.at;
    if (lineage.parent != ContextId{}) {
        fresh->parent = find(lineage.process, lineage.parent, lineage.at);
        fresh->depth = fresh->parent != nullptr ? fresh->parent->depth + 1 : 0;
        limit_depth(*fresh);
    }
    Holders& holders = processes_[lineage.process];
    if (holders.size() >= kMostIds) {
        holders.clear();
    }
    Holder& holder = holders[lineage.child];
    holder.before = std::move(holder.now);
    holder.now = std::move(fresh);
}

/// Cuts the upper half of a chain that has grown too long. Whose work those far ancestors were is of no interest any more.
void Contexts::limit_depth(Context& fresh) {
    if (fresh.depth < kDeepest) {
        return;
    }
    Context* at = &fresh;
    for (unsigned depth = kDeepest / 2;; --depth) {
        at->depth = depth;
        if (depth == 0 || at->parent == nullptr) {
            at->parent.reset();
            return;
        }
        at = at->parent.get();
    }
}

ContextRef Contexts::find(ProcessId process, ContextId id, Instant at) {
    if (id == ContextId{}) {
        return nullptr;
    }
    Holders& holders = processes_[process];
    if (holders.size() >= kMostIds) {
        holders.clear();
    }
    Holder& holder = holders[id];
    if (holder.now == nullptr) {
        holder.now = std::make_shared<Context>();
    }
    if (holder.now->made <= at) {
        return holder.now;
    }
    return holder.before != nullptr && holder.before->made <= at ? holder.before : nullptr;
}

}  // namespace timesink::attribute
