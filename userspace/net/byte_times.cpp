#include "net/byte_times.hpp"

namespace timesink::net {

namespace {

/// Of so many the oldest must go before another is kept.
bool is_full(std::size_t kept, Instant oldest, Instant now) {
    return kept >= ByteTimes::kKept || (kept >= ByteTimes::kKeptAnyhow && oldest < now - ByteTimes::kKeptFor);
}

/// How many at the front of what ascends end at `position` or before it. Mostly asked of the latest: then all but that one.
template <typename Part>
std::size_t ended_by(const Ring<Part>& parts, std::uint64_t position) {
    const std::size_t size = parts.size();
    if (size != 0 && position < parts.back().end && (size == 1 || parts[size - 2].end <= position)) {
        return size - 1;
    }
    return parts.count_front([position](const Part& part) { return part.end <= position; });
}

}  // namespace

void ByteTimes::moved(std::uint64_t begin, std::uint64_t end, Instant entered, Instant exited, ThreadId thread, ProcessId process,
                      ContextId context) {
    // Two threads that read at once may report out of order; the lookup needs ascending positions.
    while (!moves_.empty() && moves_.back().end > begin) {
        moves_.pop_back();
    }
    // Before it is kept, or the last one would double the memory.
    while (is_full(moves_.size(), moves_.empty() ? exited : moves_.front().exited, exited)) {
        moves_.pop_front();
    }
    moves_.push_back({begin, end, entered, exited, thread, process, context});
}

void ByteTimes::arrived(std::uint64_t stream_end, Instant at) {
    // sk_data_ready may be called again for the same bytes (a reader that did not drain): the first call is the arrival.
    if (!reached_.empty() && reached_.back().end >= stream_end) {
        return;
    }
    while (is_full(reached_.size(), reached_.empty() ? at : reached_.front().at, at)) {
        reached_.pop_front();
        forgot_arrivals_ = true;
    }
    reached_.push_back({stream_end, at});
}

void ByteTimes::arrived_somewhat(Instant at) {
    if (unsettled_.size() == kKept) {
        unsettled_.pop_front();
    }
    unsettled_.push_back(at);
}

void ByteTimes::settle_arrivals(std::uint64_t begin, std::uint64_t end, Instant exited, bool one) {
    std::optional<Instant> first;
    std::optional<Instant> last;
    while (!unsettled_.empty() && unsettled_.front() <= exited && !(one && first)) {
        first = first.value_or(unsettled_.front());
        last = unsettled_.front();
        unsettled_.pop_front();
    }
    if (!first) {
        // The earlier read left bytes behind: they had arrived with the latest arrival that it settled.
        if (last_settled_) {
            arrived(end, *last_settled_);
        }
        return;
    }
    arrived(begin + 1, *first);
    arrived(end, *last);
    last_settled_ = last;
}

Moment ByteTimes::at(std::uint64_t position) const {
    Moment moment;
    const std::size_t index = ended_by(moves_, position);
    if (index == moves_.size() || moves_[index].begin > position) {
        return moment;
    }
    const Move& move = moves_[index];
    moment.known = true;
    moment.begins_call = position == move.begin;
    moment.entered = move.entered;
    moment.exited = move.exited;
    moment.arrived = move.entered;
    moment.thread = move.thread;
    moment.process = move.process;
    moment.context = move.context;
    const std::size_t reach = ended_by(reached_, position);
    // An arrival later than the read is another one: the right record was lost, or is older than what is kept.
    if (reach != reached_.size() && reached_[reach].at <= move.exited && (reach != 0 || !forgot_arrivals_)) {
        moment.arrival_known = true;
        moment.arrived = reached_[reach].at;
    }
    return moment;
}

}  // namespace timesink::net
