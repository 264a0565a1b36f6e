#include "infer/notes.hpp"

#include <algorithm>

namespace timesink::infer {

namespace {

/// What both say of one thing.
void unite_note(Note& ours, const Note* theirs, double share) {
    ours.defer = theirs != nullptr && theirs->defer == ours.defer ? ours.defer : Told::nothing;
    if (theirs != nullptr && ours.chain == theirs->chain) {
        ours.probability = share * ours.probability + (1 - share) * theirs->probability;
        return;
    }
    ours.runner_up_probability *= share;
    if (theirs != nullptr && (1 - share) * theirs->probability > ours.runner_up_probability) {
        ours.runner_up = theirs->chain;
        ours.runner_up_probability = (1 - share) * theirs->probability;
    }
    ours.probability *= share;
}

}  // namespace

Notes& Notes::operator=(const Notes& other) {
    Notes copy(other);
    return *this = std::move(copy);
}

Notes& Notes::operator=(Notes&& other) noexcept {
    std::swap(latest_, other.latest_);
    std::swap(size_, other.size_);
    return *this;
}

void Notes::release(Node* node) {
    while (node != nullptr && --node->references == 0) {
        delete std::exchange(node, node->before);
    }
}

void Notes::push_back(const Note& note) {
    latest_ = new Node(note, latest_);
    ++size_;
}

void Notes::clear() {
    release(std::exchange(latest_, nullptr));
    size_ = 0;
}

std::uint64_t Notes::serial(std::size_t behind) const {
    const Node* node = latest_;
    for (; behind > 0; --behind) {
        node = node->before;
    }
    return node->note.serial;
}

Notes Notes::until(std::uint64_t serial) const {
    Notes found;
    Node* node = latest_;
    std::size_t later = 0;
    for (; node != nullptr && node->note.serial > serial; ++later) {
        node = node->before;
    }
    found.latest_ = held(node);
    found.size_ = size_ - later;
    return found;
}

void Notes::forget(std::uint64_t serial) {
    if (latest_ == nullptr || latest_->note.serial <= serial) {
        clear();
        return;
    }
    Node* oldest = latest_;
    for (size_ = 1; oldest->before != nullptr && oldest->before->note.serial > serial; ++size_) {
        oldest = oldest->before;
    }
    release(std::exchange(oldest->before, nullptr));
}

void Notes::list(std::vector<const Note*>& notes) const {
    notes.clear();
    for (const Node* node = latest_; node != nullptr; node = node->before) {
        notes.push_back(&node->note);
    }
    std::reverse(notes.begin(), notes.end());
}

/// Where both are one from there on they say the same.
void Notes::unite(const Notes& other, double share) {
    thread_local std::vector<Node*> ours;  // asked often: no memory of its own each time
    thread_local std::vector<const Node*> theirs;
    ours.clear();
    theirs.clear();
    Node* mine = latest_;
    const Node* its = other.latest_;
    while (mine != its) {
        // What they share is as long in both.
        if (size_ - ours.size() >= other.size_ - theirs.size()) {
            ours.push_back(mine);
            mine = mine->before;
        } else {
            theirs.push_back(its);
            its = its->before;
        }
    }
    Node* made = held(mine);
    auto near = theirs.rbegin();
    for (auto node = ours.rbegin(); node != ours.rend(); ++node) {
        made = new Node((*node)->note, made);
        while (near != theirs.rend() && (*near)->note.serial < made->note.serial) {
            ++near;
        }
        const auto same = std::find_if(near, theirs.rend(), [&](const Node* each) {
            return each->note.serial > made->note.serial || each->note.is_about(made->note);
        });
        const bool found = same != theirs.rend() && (*same)->note.is_about(made->note);
        unite_note(made->note, found ? &(*same)->note : nullptr, share);
    }
    release(std::exchange(latest_, made));
}

}  // namespace timesink::infer
