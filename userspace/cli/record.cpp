#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "capture/writer.hpp"
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/following_analysis.hpp"
#include "cli/interrupt.hpp"
#include "cli/message.hpp"
#include "cli/model_file.hpp"
#include "cli/presentation.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"
#include "live/session.hpp"
#include "redact/redactor.hpp"

namespace timesink::cli {
namespace {

constexpr std::size_t kLongestRoutes = std::size_t{32} * 1024;  // as a fact, all patterns are one record

struct RecordOptions {
    live::SessionOptions session;
    std::string duration;
    std::string file;
    bool no_recording = false;
    bool capture_payload = false;
    bool force = false;
    std::string ready_file;
    std::vector<std::string> routes;
    std::string rules_text;  // of presentation.rules
    std::string model;
    Models models;  // of that recording
    Presentation presentation;
};

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string default_file() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char name[64];
    std::strftime(name, sizeof(name), "timesink-%Y%m%d-%H%M%S.tsr", &local);
    return name;
}

/// One run: every record goes into the recording and to the analysis, in the same order. The analysis takes them from the
/// recording, or at once where there is none.
class Recording {
public:
    Recording(RecordOptions& options, const analyze::Options& analysis, request::RoutePatterns routes)
        : options_(options), analysis_(analysis, std::move(routes)) {
        if (!options.capture_payload) {
            redactor_.emplace([this](auto records) { take_masked(records); });
        }
    }

    int run();

private:
    /// Until all probes are live, records are only kept: an attach that fails
    /// must not have replaced an older recording.
    void take(std::span<const std::byte> records);
    /// What is written and analysed, masked unless the payload is wanted.
    void take_masked(std::span<const std::byte> records);
    void analyse(std::span<const std::byte> records);
    /// All of the recording has been analysed; then what could not be written into it.
    void end_following();
    /// The recording is over: an Error says why before its time.
    void end_file(const Status& written, std::string_view hint);
    Status begin_file();
    int attach();
    void wait_and_drain(Duration length);
    void problem(const Error& error, std::string_view hint = {});

    RecordOptions& options_;
    analyze::Analysis analysis_;
    std::optional<redact::Redactor> redactor_;
    std::unique_ptr<live::Session> session_;
    std::optional<capture::Writer> writer_;
    std::unique_ptr<FollowingAnalysis> following_;  ///< while there is a recording
    std::vector<std::byte> before_attach_;
    std::atomic<std::uint64_t> end_ns_ = UINT64_MAX;  // read by a thread of the session
    bool attached_ = false;
    bool analysis_ended_ = false;
    int code_ = kDone;
};

/// Something went wrong on the way; the run goes on with what is left of it.
void Recording::problem(const Error& error, std::string_view hint) {
    say_error(error.what, hint);
    code_ = kPartly;
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

Status create_ready_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return Error{path + ": cannot create: " + std::generic_category().message(errno), errno};
    }
    ::close(descriptor);
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
    options_.session.ends = [this] { return interrupted() || now_ns() >= end_ns_; };
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
    std::size_t live = 0;
    for (const live::Probe& probe : session_->probes()) {
        live += probe.attached ? 1 : 0;
        if (!probe.attached) {
            say("probe " + probe.name + " is not there: " + probe.error + (probe.costs.empty() ? "" : "; " + probe.costs));
        }
    }
    say("attached to " + std::to_string(session_->totals().processes) + " processes, " + std::to_string(live) + " probes; " +
        (writer_ ? "recording to " + options_.file : std::string("no recording")) + "; Ctrl-C detaches and reports");
    if (!options_.ready_file.empty()) {
        if (const Status ready = create_ready_file(options_.ready_file); !ready) {
            session_.reset();
            return fail(kCannotWrite, ready.error());
        }
    }
    return kDone;
}

void Recording::wait_and_drain(Duration length) {
    const std::uint64_t end = length == Duration{} ? UINT64_MAX : now_ns() + static_cast<std::uint64_t>(length.count());
    end_ns_ = end;
    while (!interrupted() && now_ns() < end) {
        const auto pause = static_cast<std::uint64_t>(session_->drain_interval().count());
        const std::uint64_t wake = std::min(now_ns() + pause, end);
        const timespec until{.tv_sec = static_cast<time_t>(wake / 1'000'000'000),
                             .tv_nsec = static_cast<long>(wake % 1'000'000'000)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
        if (const Status drained = session_->drain(); !drained) {
            problem(drained.error());
            return;
        }
        if (session_->targets_alive() == 0) {
            say("every target has exited");
            return;
        }
    }
}

int Recording::run() {
    Duration length{};
    if (!options_.duration.empty()) {
        length = *parse_duration(options_.duration);
    }
    if (const int code = attach(); code != kDone) {
        return code;
    }
    wait_and_drain(length);
    if (const Status closed = session_->close(); !closed) {
        problem(closed.error());
    }
    if (redactor_) {
        redactor_->finish();
    }
    const Status written = writer_ ? writer_->finish() : Done{};
    const live::SessionTotals totals = session_->totals();
    say("detached after " + std::to_string(totals.records) + " records, " + std::to_string(totals.lost) + " lost");
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

Status check(const RecordOptions& options) {
    const live::Selection& selection = options.session.selection;
    if (selection.pids.empty() && selection.ports.empty() && selection.comms.empty() && selection.cgroups.empty() &&
        selection.command.empty()) {
        return Error{
            "record: nothing to attach to: give --pid, --port, --comm, "
            "--cgroup or -- CMD"};
    }
    std::size_t length = 0;
    for (const std::string& route : options.routes) {
        length += route.size() + 8;
    }
    if (length > kLongestRoutes) {
        return Error{"record: the --route patterns are longer than " + std::to_string(kLongestRoutes) + " bytes together"};
    }
    return Done{};
}

int run_record(RecordOptions& options) {
    if (const Status sound = check(options); !sound) {
        return fail(kUsage, sound.error(), "'timesink list' shows what could be attached to.");
    }
    auto routes = parse_routes(options.routes);
    if (!routes) {
        return fail(kUsage, routes.error());
    }
    analyze::Options analysis = analysis_options(options.presentation);
    if (!options.presentation.rules.empty()) {
        const auto text = read_rules_file(options.presentation.rules);
        const auto rules = text ? parse_rules(*text, options.presentation.rules) : Result<Rules>(text.error());
        if (!rules) {
            return fail(kUsage, rules.error(), kRulesHint);
        }
        options.rules_text = *text;
        analysis.user_rules = *rules;
    }
    if (!options.model.empty()) {
        int code = kDone;
        options.models = learn_models(options.model, code);
        if (code != kDone) {
            return code;
        }
        analysis.models = options.models;
    }
    if (options.no_recording) {
        options.file.clear();
    } else if (options.file.empty()) {
        options.file = default_file();
    }
    options.presentation.recording = file_name(options.file);
    if (!options.no_recording) {
        const auto existing = options.force ? capture::Existing::replace : capture::Existing::replace_recordings;
        if (const Status free = capture::File::check_destination(options.file, existing); !free) {
            return fail(kCannotWrite, free.error(), "'-o FILE' names another file, '--force' replaces this one.");
        }
    }
    watch_for_interrupts();
    return Recording(options, analysis, std::move(routes).value()).run();
}

}  // namespace

Command add_record(CLI::App& program, const std::vector<std::string>& arguments) {
    const auto options = std::make_shared<RecordOptions>();
    options->session.arguments = arguments;
    live::Selection& selection = options->session.selection;
    CLI::App* command = program.add_subcommand("record", "Attach to running processes, record and report");
    command->add_option("-p,--pid", selection.pids, "Process; may be repeated. Its children are followed");
    command->add_option("--port", selection.ports, "The processes that listen on this TCP port; may be repeated");
    command->add_option("--comm", selection.comms, "The processes of this command name; may be repeated");
    command->add_option("--cgroup", selection.cgroups, "The processes in this cgroup; may be repeated");
    for (CLI::Option* option : command->get_options([](const CLI::Option* option) { return option->get_name() != "--help"; })) {
        option->expected(1)->take_all();
    }
    command
        ->add_option("-d,--duration", options->duration,
                     "How long: 60, 90s, 5m, 500ms; without it, until Ctrl-C or "
                     "the target's end")
        ->check([](const std::string& text) {
            const auto parsed = parse_duration(text);
            return parsed ? std::string() : parsed.error().what;
        });
    command->add_option("-o,--output", options->file, "The recording (default: timesink-DATE-TIME.tsr here)");
    command->add_flag("--capture-payload", options->capture_payload,
                      "Record what was said as it was captured, secrets included; without it, values are masked");
    command->add_flag("--no-recording", options->no_recording, "Only report");
    command->add_flag("--force", options->force, "Replace -o even if it is not a timesink recording");
    command->add_option("--ring-size", options->session.ring_bytes, "Kernel buffer per CPU, e.g. 8M (64K to 1G)")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(std::size_t{64} << 10, std::size_t{1} << 30));
    command->add_option("--ready-file", options->ready_file, "Create this file once every probe is live");
    command->add_option("--route", options->routes, "Fold paths like this, e.g. '/orders/{id}'; may be repeated")
        ->expected(1)
        ->take_all();
    add_presentation_options(*command, options->presentation);
    add_model_option(*command, options->model);
    command->add_option("CMD", selection.command, "-- CMD ARGS: start this and attach from its first instruction")->expected(-1);
    command->positionals_at_end();
    return {command, [options] { return run_record(*options); }};
}

}  // namespace timesink::cli
