#include "attribute/contexts.hpp"

#include <utility>

namespace timesink::attribute {

void Contexts::on(const event::Lineage& lineage) {
    if (event::is_goroutine(lineage.child) && event::is_birth_name(lineage.parent)) {
        ContextRef born = find(lineage.process, lineage.parent, lineage.at);
        holder_of(processes_[lineage.process], lineage.child) = {std::move(born), nullptr};
        return;
    }
    auto fresh = std::make_shared<Context>();
    fresh->made = lineage.at;
    fresh->start = lineage.start;
    if (lineage.parent != ContextId{}) {
        fresh->parent = find(lineage.process, lineage.parent, lineage.at);
        fresh->depth = fresh->parent != nullptr ? fresh->parent->depth + 1 : 0;
        limit_depth(*fresh);
    }
    Holder& holder = holder_of(processes_[lineage.process], lineage.child);
    holder.before = std::move(holder.now);
    holder.now = std::move(fresh);
}

Contexts::Holder& Contexts::holder_of(InProcess& process, ContextId id) {
    const auto found = process.young.find(id);
    if (found != process.young.end()) {
        return found->second;
    }
    if (process.young.size() >= kMostIds) {
        process.old = std::move(process.young);
        process.young.clear();
    }
    if (auto kept = process.old.extract(id)) {
        return process.young.insert(std::move(kept)).position->second;
    }
    return process.young[id];
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
    Holder& holder = holder_of(processes_[process], id);
    if (holder.now == nullptr) {
        holder.now = std::make_shared<Context>();
    }
    if (holder.now->made <= at) {
        return holder.now;
    }
    return holder.before != nullptr && holder.before->made <= at ? holder.before : nullptr;
}

}  // namespace timesink::attribute
