#include "cli/recording.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "cli/duration.hpp"
#include "cli/exit_code.hpp"
#include "cli/interrupt.hpp"
#include "cli/message.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"

namespace timesink::cli {
namespace {

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_until(std::uint64_t wake) {
    const timespec until{.tv_sec = static_cast<time_t>(wake / 1'000'000'000), .tv_nsec = static_cast<long>(wake % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

Status create_ready_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return Error{path + ": cannot create: " + std::generic_category().message(errno), errno};
    }
    ::close(descriptor);
    return Done{};
}

}  // namespace

Recording::Recording(RecordOptions& options, const analyze::Options& analysis, request::RoutePatterns routes)
    : options_(options), analysis_(analysis, std::move(routes)) {
    mask_anew();
}

/// Something went wrong on the way; the run goes on with what is left of it.
void Recording::problem(const Error& error, std::string_view hint) {
    say_error(error.what, hint);
    code_ = kPartly;
}

void Recording::mask_anew() {
    if (!options_.capture_payload) {
        redactor_.emplace([this](auto records) { take_masked(records); }, secret_);
    }
}

void Recording::take(std::span<const std::byte> records) {
    if (!attached_) {
        before_attach_.insert(before_attach_.end(), records.begin(), records.end());
        return;
    }
    if (!redactor_) {
        take_masked(records);
    } else if (const Status pushed = redactor_->push(records); !pushed) {
        problem(pushed.error());
    }
}

void Recording::take_masked(std::span<const std::byte> records) {
    if (!writer_) {
        analyse(records);
        return;
    }
    const Status written = writer_->append(records);
    if (following_) {
        following_->grown(writer_->bytes_written(), std::chrono::nanoseconds(now_ns()));
    } else {
        analyse(records);
    }
    if (!written) {
        end_file(written, "The recording ends here and can be read up to this point; the live analysis goes on.");
    }
}

void Recording::analyse(std::span<const std::byte> records) {
    if (!analysis_ended_) {
        if (const Status pushed = analysis_.push(records); !pushed) {
            problem(pushed.error());
            analysis_ended_ = true;
        }
    }
}

void Recording::end_following() {
    following_->grown(writer_->bytes_written(), std::chrono::nanoseconds(now_ns()));
    const Status followed = following_->finish([this](double done) {
        say("analysing the recording: " + std::to_string(static_cast<int>(done * 100)) + " %" +
            (session_ ? "" : "; Ctrl-C leaves it, 'timesink report " + options_.file + "' does the same"));
    });
    following_.reset();
    if (!followed) {
        problem(followed.error());
        analysis_ended_ = true;
    }
    analyse(writer_->unwritten());
}

void Recording::end_file(const Status& written, std::string_view hint) {
    if (!written) {
        problem(written.error(), hint);
    }
    if (following_) {
        end_following();
    }
    writer_.reset();
}

Status Recording::begin_file() {
    if (options_.no_recording) {
        return Done{};
    }
    const auto existing = options_.force ? capture::Existing::replace : capture::Existing::replace_recordings;
    Result<capture::Writer> writer = capture::Writer::create(options_.file, existing);
    if (!writer) {
        return writer.error();
    }
    writer_.emplace(std::move(writer).value());
    // Where it cannot be read back, it is analysed as it comes.
    if (auto following = FollowingAnalysis::start(options_.file, analysis_)) {
        following_ = std::move(following).value();
    }
    return Done{};
}

int Recording::attach() {
    take(fact_record({{"fact", "payload"}, {"captured", options_.capture_payload}}, now_ns()));
    if (!options_.routes.empty()) {
        take(routes_record(options_.routes, now_ns()));
    }
    if (!options_.rules_text.empty()) {
        take(rules_record(options_.rules_text, options_.presentation.rules, now_ns()));
    }
    if (options_.models != nullptr) {
        take(model_records(*options_.models, now_ns()));
    }
    options_.session.ends = [this] { return interrupted() || now_ns() >= window_end_ns_; };
    auto session = live::Session::open(options_.session, [this](auto records) { take(records); });
    if (!session) {
        return fail(kCannotAttach, session.error(),
                    "'timesink doctor' says what this host lacks, 'timesink list' "
                    "what could be attached to.");
    }
    session_ = std::move(session).value();
    if (const Status begun = begin_file(); !begun) {
        session_.reset();
        return fail(kCannotWrite, begun.error(),
                    "'-o FILE' names another file, '--force' replaces this one, "
                    "'--no-recording' writes none.");
    }
    attached_ = true;
    take(std::exchange(before_attach_, {}));
    tell_attached();
    if (!options_.ready_file.empty()) {
        if (const Status ready = create_ready_file(options_.ready_file); !ready) {
            session_.reset();
            return fail(kCannotWrite, ready.error());
        }
    }
    return kDone;
}

void Recording::tell_attached() const {
    std::size_t live = 0;
    for (const live::Probe& probe : session_->probes()) {
        live += probe.attached ? 1 : 0;
        if (!probe.attached) {
            say("probe " + probe.name + " is not there: " + probe.error + (probe.costs.empty() ? "" : "; " + probe.costs));
        }
    }
    say("attached to " + std::to_string(session_->totals().processes) + " processes, " + std::to_string(live) + " probes; " +
        (writer_ ? "recording to " + options_.file : std::string("no recording")) + "; Ctrl-C detaches and reports");
}

WatchPlan Recording::plan() const {
    const auto length = [](const std::string& text) {
        return text.empty() ? std::nullopt : std::optional(static_cast<std::uint64_t>(parse_duration(text)->count()));
    };
    std::optional<WatchPlan::Windows> windows;
    if (const auto window = length(options_.window)) {
        windows = {*window, *length(options_.every)};
    }
    return {now_ns(), length(options_.duration), windows};
}

bool Recording::watch() {
    const std::uint64_t end = window_end_ns_ = plan_->window_end();
    while (!interrupted() && now_ns() < end) {
        sleep_until(std::min(now_ns() + static_cast<std::uint64_t>(session_->drain_interval().count()), end));
        if (const Status drained = session_->drain(); !drained) {
            problem(drained.error());
            return false;
        }
        if (session_->targets_alive() == 0) {
            say("every target has exited");
            return false;
        }
    }
    return !interrupted();
}

void Recording::end_window() {
    if (const Status closed = session_->close(); !closed) {
        problem(closed.error());
    }
    if (redactor_) {
        redactor_->finish();
    }
    records_ += session_->totals().records;
    lost_ += session_->totals().lost;
    ++windows_;
}

/// A recording that is killed between two windows holds all before.
void Recording::write_out() {
    if (!writer_) {
        return;
    }
    if (const Status written = writer_->flush(); !written) {
        end_file(written, "The recording ends here and can be read up to this point; the live analysis goes on.");
    } else if (following_) {
        following_->grown(writer_->bytes_written(), std::chrono::nanoseconds(now_ns()));
    }
}

bool Recording::attach_again() {
    mask_anew();
    auto session = live::Session::reopen(session_);
    if (session) {
        session_ = std::move(session).value();
        return true;
    }
    const bool all_ended = session.error().errno_value == ECHILD;
    if (session_ && !all_ended) {
        say(session.error().what + "; looked for again at the next window");
        return false;
    }
    over_ = true;
    if (all_ended) {
        say(session.error().what);
    } else {
        problem(session.error());
    }
    return false;
}

bool Recording::rest() {
    constexpr std::uint64_t kLook = 100'000'000;  // for Ctrl-C
    write_out();
    while (!over_) {
        const auto begin = plan_->next_window(now_ns());
        const std::uint64_t wake = begin.value_or(plan_->end());
        while (!interrupted() && now_ns() < wake) {
            sleep_until(std::min(now_ns() + kLook, wake));
        }
        if (interrupted() || !begin) {
            return false;
        }
        if (attach_again()) {
            plan_->attached(now_ns());
            return true;
        }
    }
    return false;
}

int Recording::run() {
    if (const int code = attach(); code != kDone) {
        return code;
    }
    plan_ = plan();
    bool more = true;
    while (more) {
        more = watch();
        end_window();
        more = more && rest();
    }
    const Status written = writer_ ? writer_->finish() : Done{};
    say("detached after " + std::to_string(records_) + " records, " + std::to_string(lost_) + " lost" +
        (windows_ > 1 ? ", in " + std::to_string(windows_) + " windows" : ""));
    session_.reset();
    if (writer_) {
        end_file(written, "The recording can be read up to the last section that was written.");
    }
    const Result<std::string> report = render(analysis_.finish(), options_.presentation);
    if (!report) {
        return fail(kUsage, report.error());
    }
    const int printed = print(*report);
    return printed != kDone ? printed : code_;
}

}  // namespace timesink::cli
