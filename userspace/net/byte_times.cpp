#include "net/byte_times.hpp"

namespace timesink::net {

void ByteTimes::moved(std::uint64_t begin, std::uint64_t end, Instant entered, Instant exited, ThreadId thread, ProcessId process,
                      ContextId context) {
    // Two threads that read at once may report out of order; the lookup needs ascending positions.
    while (!moves_.empty() && moves_.back().end > begin) {
        moves_.pop_back();
    }
    moves_.push_back({begin, end, entered, exited, thread, process, context});
    if (moves_.size() > kKept) {
        moves_.pop_front();
    }
}

void ByteTimes::arrived(std::uint64_t stream_end, Instant at) {
    // sk_data_ready may be called again for the same bytes (a reader that did not drain): the first call is the arrival.
    if (!reached_.empty() && reached_.back().end >= stream_end) {
        return;
    }
    reached_.push_back({stream_end, at});
    if (reached_.size() > kKept) {
        reached_.pop_front();
    }
}

void ByteTimes::arrived_somewhat(Instant at) {
    unsettled_.push_back(at);
    if (unsettled_.size() > kKept) {
        unsettled_.pop_front();
    }
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
    const std::size_t index = moves_.count_front([position](const Move& move) { return move.end <= position; });
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
    const std::size_t reach = reached_.count_front([position](const Reach& candidate) { return candidate.end <= position; });
    // An arrival later than the read is another one: the right record was lost, or is older than what is kept.
    if (reach != reached_.size() && reached_[reach].at <= move.exited && (reach != 0 || reached_.size() < kKept)) {
        moment.arrival_known = true;
        moment.arrived = reached_[reach].at;
    }
    return moment;
}

}  // namespace timesink::net
