#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "analyze/analysis.hpp"
#include "base/pace.hpp"
#include "base/result.hpp"
#include "capture/reader.hpp"
#include "live/idle_share.hpp"

namespace timesink::cli {

/// Analyses a recording while it is being written, from the recording, in a thread that works only where nobody else wants the
/// CPU, and only while half of the host's CPU time is idle: analysing costs more than recording does, whoever is short of CPU is
/// the service, and even what nobody else uses is not free where CPUs share caches and cores. What has not been analysed waits
/// in the file, so nothing is lost by being late; when more than kLatest of it waits, the thread takes an ordinary share.
///
/// No lock is shared with the recording thread: that one could be made to wait for a thread that gets no CPU (docs/adr/0025).
class FollowingAnalysis {
public:
    /// Bytes of recording; some seconds' work.
    static constexpr std::uint64_t kLatest = std::uint64_t{256} << 20;
    static constexpr double kIdleEnough = 0.5;

    /// Error: the recording cannot be read back. `analysis` belongs to the thread until finish() or the end of this.
    static Result<std::unique_ptr<FollowingAnalysis>> start(const std::string& recording, analyze::Analysis& analysis);
    /// Ends the thread where it stands.
    ~FollowingAnalysis();
    FollowingAnalysis(const FollowingAnalysis&) = delete;
    FollowingAnalysis& operator=(const FollowingAnalysis&) = delete;

    /// The recording has this many bytes at `now`.
    void grown(std::uint64_t bytes, std::chrono::nanoseconds now);
    /// Waits until all that is in the recording, which grows no more, is analysed, at an ordinary share of the CPU. `waiting` is
    /// told each second what part of the recording is done, 0 … 1. An Error: why the analysis ended before. Once.
    Status finish(const std::function<void(double)>& waiting);

private:
    FollowingAnalysis(capture::Reader reader, analyze::Analysis& analysis, bool gives_way);
    Status follow();
    Status analyse_what_is_there();
    void take_share(bool ordinary);
    void wake();

    capture::Reader reader_;       ///< of the thread
    analyze::Analysis& analysis_;  ///< of the thread
    bool gives_way_;
    bool ordinary_ = false;  ///< the share that the thread has
    live::IdleShare idle_;
    Pace pace_;
    std::uint64_t bytes_ = 0;
    std::atomic<bool> may_work_ = false;
    std::atomic<std::uint64_t> analysed_ = 0;  ///< bytes of the recording
    std::atomic<std::uint32_t> changes_ = 0;   ///< counted up whenever one of the others has changed; waited for
    std::atomic<bool> complete_ = false;       ///< the recording grows no more
    std::atomic<bool> abandoned_ = false;
    std::atomic<pid_t> thread_id_ = 0;
    std::promise<Status> ended_;
    std::thread thread_;
};

}  // namespace timesink::cli
