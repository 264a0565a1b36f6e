#include "proto/frames.hpp"

#include <algorithm>

#include "proto/lines.hpp"

namespace timesink::proto {

void Frames::take(std::span<const std::byte> bytes, std::uint64_t position, bool ends_call, FrameSink& owner, Sink& sink) {
    std::string_view text = as_text(bytes);
    seen_ = position + text.size();
    std::string joined;
    while (!text.empty()) {
        if (state_ != State::lost) {
            const std::size_t taken = step(text, position, owner, sink);
            text.remove_prefix(taken);
            position += taken;
            in_call_ = !text.empty() || !ends_call;
            continue;
        }
        bool begins_call = !in_call_;
        if (!held_.empty()) {
            begins_call = held_begins_call_;
            position -= held_.size();
            joined = held_;
            joined.append(text);
            held_.clear();
            text = joined;
        }
        std::size_t offset = 0;
        while (offset + header_bytes_ <= text.size() &&
               !owner.resumes(direction_, text.substr(offset), {offset == 0 && begins_call, ends_call})) {
            ++offset;
        }
        const bool found_one = offset + header_bytes_ <= text.size();
        const std::size_t dropped = found_one ? offset : text.size() - std::min(text.size(), header_bytes_ - 1);
        position += dropped;
        text.remove_prefix(dropped);
        if (found_one) {
            found();
            continue;
        }
        held_begins_call_ = begins_call && dropped == 0;
        held_ = ends_call ? std::string_view{} : text;
        break;
    }
    in_call_ = !ends_call;
}

std::size_t Frames::step(std::string_view text, std::uint64_t position, FrameSink& owner, Sink& sink) {
    if (state_ == State::rest) {
        const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, text.size()));
        remaining_ -= skipped;
        owner.rest(direction_, text.substr(0, skipped), position, 0, sink);
        if (remaining_ == 0) {
            found();
            owner.closed(direction_, position + skipped, sink);
        }
        return skipped;
    }
    const bool fresh = held_.empty();
    if (fresh) {
        begin_ = position;
    }
    const std::size_t wanted = (state_ == State::header ? header_bytes_ : header_bytes_ + shape_.kept) - held_.size();
    const std::size_t taken = std::min(wanted, text.size());
    std::string_view all = text.substr(0, taken);
    if (!fresh || taken < wanted) {
        held_.append(all);
        all = held_;
    }
    if (taken < wanted) {
        return taken;
    }
    if (state_ == State::header) {
        const auto shape = owner.shape(direction_, all);
        if (!shape) {
            lose(begin_, owner, sink);
            return taken;
        }
        shape_ = {shape->payload, static_cast<std::size_t>(std::min<std::uint64_t>(shape->kept, shape->payload))};
        state_ = State::prefix;
        if (fresh && text.size() >= header_bytes_ + shape_.kept) {  // all in one piece: nothing need be copied
            open(text.substr(0, header_bytes_ + shape_.kept), false, owner, sink);
            return header_bytes_ + shape_.kept;
        }
        if (fresh) {
            held_ = all;
        }
        if (shape_.kept > 0) {
            return taken;
        }
        all = held_;
    }
    open(all, false, owner, sink);
    return taken;
}

void Frames::open(std::string_view header_and_payload, bool cut, FrameSink& owner, Sink& sink) {
    const std::uint64_t end = begin_ + header_bytes_ + shape_.payload;
    remaining_ = header_bytes_ + shape_.payload - header_and_payload.size();
    state_ = State::rest;
    sink.keep(direction_, begin_, header_and_payload.substr(0, header_bytes_), Kept::structure);
    owner.opened(
        {direction_, begin_, end, header_and_payload.substr(0, header_bytes_), header_and_payload.substr(header_bytes_), cut},
        sink);
    if (state_ == State::lost) {
        return;  // its contents were not what they must be
    }
    held_.clear();
    if (remaining_ == 0) {
        found();
        owner.closed(direction_, end, sink);
    }
}

void Frames::gap(std::uint64_t begin, std::uint64_t end, FrameSink& owner, Sink& sink) {
    std::uint64_t missing = end - begin;
    seen_ = end;  // in_call_ stays: behind a gap within a call the call goes on; behind lost calls another begins
    if (state_ == State::prefix) {
        const std::string all = held_;
        open(all, true, owner, sink);
    }
    if (state_ == State::rest) {
        const std::uint64_t skipped = std::min(missing, remaining_);
        remaining_ -= skipped;
        owner.rest(direction_, {}, begin, skipped, sink);
        missing -= skipped;
        begin += skipped;
        if (remaining_ == 0) {
            found();
            owner.closed(direction_, begin, sink);
        }
    }
    if (state_ == State::lost) {
        held_.clear();
    } else if (missing > 0) {
        lose(held_.empty() ? begin : begin_, owner, sink);
    }
}

void Frames::lose(std::uint64_t position, FrameSink& owner, Sink& sink) {
    if (state_ == State::lost) {
        return;
    }
    state_ = State::lost;
    held_.clear();
    owner.lost(direction_, position, sink);
}

}  // namespace timesink::proto
