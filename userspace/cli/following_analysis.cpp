#include "cli/following_analysis.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "live/own_priority.hpp"

namespace timesink::cli {

FollowingAnalysis::FollowingAnalysis(capture::Reader reader, analyze::Analysis& analysis, bool gives_way)
    : reader_(std::move(reader)), analysis_(analysis), gives_way_(gives_way) {
    thread_ = std::thread([this] {
        std::optional<Pace::Kept> kept;
        if (gives_way_) {
            live::set_share(0, live::Share::left_over);
            kept.emplace(pace_);
        }
        thread_id_ = static_cast<pid_t>(syscall(SYS_gettid));
        thread_id_.notify_one();
        ended_.set_value(follow());
    });
    thread_id_.wait(0);
}

Result<std::unique_ptr<FollowingAnalysis>> FollowingAnalysis::start(const std::string& recording, analyze::Analysis& analysis) {
    Result<capture::Reader> reader = capture::Reader::open(recording);
    if (!reader) {
        return reader.error();
    }
    const bool gives_way = live::can_return_to_ordinary_share();
    return std::unique_ptr<FollowingAnalysis>(new FollowingAnalysis(std::move(reader).value(), analysis, gives_way));
}

FollowingAnalysis::~FollowingAnalysis() {
    if (thread_.joinable()) {
        abandoned_ = true;
        take_share(true);
        wake();
        thread_.join();
    }
}

void FollowingAnalysis::wake() {
    ++changes_;
    changes_.notify_one();
}

void FollowingAnalysis::take_share(bool ordinary) {
    if (gives_way_ && ordinary_ != ordinary) {
        ordinary_ = ordinary;
        live::set_share(thread_id_, ordinary ? live::Share::ordinary : live::Share::left_over);
        pace_.hurry(ordinary);
    }
}

void FollowingAnalysis::grown(std::uint64_t bytes, std::chrono::nanoseconds now) {
    const std::uint64_t waiting = bytes - std::min(bytes, analysed_.load());
    if (ordinary_ ? waiting < kLatest / 2 : waiting > kLatest) {
        take_share(!ordinary_);
    }
    const bool may_work = ordinary_ || idle_.at(now) >= kIdleEnough;
    const bool may_go_on = may_work && !may_work_;
    may_work_ = may_work;
    if (may_work && (may_go_on || bytes != bytes_)) {
        wake();
    }
    bytes_ = bytes;
}

Status FollowingAnalysis::finish(const std::function<void(double)>& waiting) {
    take_share(true);
    may_work_ = true;
    complete_ = true;
    wake();
    std::future<Status> ended = ended_.get_future();
    while (ended.wait_for(std::chrono::seconds(1)) != std::future_status::ready) {
        waiting(bytes_ == 0 ? 0 : static_cast<double>(analysed_.load()) / static_cast<double>(bytes_));
    }
    thread_.join();
    return ended.get();
}

Status FollowingAnalysis::follow() {
    while (!abandoned_) {
        const std::uint32_t seen = changes_;
        const bool last = complete_;  // before the look: what is written after it would be missed
        if (Status analysed = analyse_what_is_there(); !analysed || last) {
            // Not before: the number of a thread that has ended may be that of another process's by the time its share is set.
            for (std::uint32_t now = changes_; !complete_ && !abandoned_; now = changes_) {
                changes_.wait(now);
            }
            return analysed;
        }
        changes_.wait(seen);
    }
    return Done{};
}

Status FollowingAnalysis::analyse_what_is_there() {
    reader_.look_again();
    while (const auto events = abandoned_ || !may_work_ ? std::nullopt : reader_.next_events()) {
        if (Status pushed = analysis_.push(*events); !pushed) {
            return pushed;
        }
        analysed_ = reader_.position();
    }
    const capture::Ending& ending = reader_.ending();
    return ending.kind == capture::Ending::Kind::damaged
               ? Status(Error{reader_.path() + ": cannot be read back: " + ending.reason})
               : Status(Done{});
}

}  // namespace timesink::cli
