#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/analysis.hpp"
#include "capture/writer.hpp"
#include "cli/exit_code.hpp"
#include "cli/following_analysis.hpp"
#include "cli/model_file.hpp"
#include "cli/presentation.hpp"
#include "cli/watch_plan.hpp"
#include "live/session.hpp"
#include "redact/redactor.hpp"

namespace timesink::cli {

/// As given, and found to be sound.
struct RecordOptions {
    live::SessionOptions session;
    std::string duration;
    std::string window;  ///< attached for so long …
    std::string every;   ///< … from begin to begin; both or none
    std::string file;
    bool no_recording = false;
    bool capture_payload = false;
    bool force = false;
    std::string ready_file;
    std::vector<std::string> routes;
    std::string rules_text;  ///< of presentation.rules
    std::string model;
    Models models;  ///< of that recording
    Presentation presentation;
};

/// One run: every record goes into the recording and to the analysis, in the same order. The analysis takes them from the
/// recording, or at once where there is none.
class Recording {
public:
    /// `options` must outlive it.
    Recording(RecordOptions& options, const analyze::Options& analysis, request::RoutePatterns routes);

    /// From the attach to the printed report: the exit code.
    int run();

private:
    /// Until all probes are live, records are only kept: an attach that fails
    /// must not have replaced an older recording.
    void take(std::span<const std::byte> records);
    /// Each attach has connections of its own.
    void mask_anew();
    /// What is written and analysed, masked unless the payload is wanted.
    void take_masked(std::span<const std::byte> records);
    void analyse(std::span<const std::byte> records);
    /// All of the recording has been analysed; then what could not be written into it.
    void end_following();
    /// The recording is over: an Error says why before its time.
    void end_file(const Status& written, std::string_view hint);
    Status begin_file();
    int attach();
    void tell_attached() const;
    WatchPlan plan() const;
    /// Until the window or the run is over. False: the run is.
    bool watch();
    void end_window();
    void write_out();
    /// Detached until the next window. False: there is none.
    bool rest();
    /// False: not now. Ends the run where there is nothing left to attach to.
    bool attach_again();
    void problem(const Error& error, std::string_view hint = {});

    RecordOptions& options_;
    analyze::Analysis analysis_;
    std::optional<redact::Redactor> redactor_;
    std::unique_ptr<live::Session> session_;
    std::optional<capture::Writer> writer_;
    std::unique_ptr<FollowingAnalysis> following_;  ///< while there is a recording
    std::vector<std::byte> before_attach_;
    const redact::Secret secret_ = redact::make_secret();
    std::optional<WatchPlan> plan_;
    std::atomic<std::uint64_t> window_end_ns_ = UINT64_MAX;  // read by a thread of the session
    std::uint64_t records_ = 0, lost_ = 0, windows_ = 0;     // of windows that are over
    bool over_ = false;
    bool attached_ = false;
    bool analysis_ended_ = false;
    int code_ = kDone;
};

}  // namespace timesink::cli
