#include <time.h>

#include <ctime>
#include <memory>

#include "capture/file.hpp"
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/exit_code.hpp"
#include "cli/interrupt.hpp"
#include "cli/message.hpp"
#include "cli/recording.hpp"
#include "cli/rules_file.hpp"

namespace timesink::cli {
namespace {

constexpr std::size_t kLongestRoutes = std::size_t{32} * 1024;  // as a fact, all patterns are one record

std::string default_file() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    char name[64];
    std::strftime(name, sizeof(name), "timesink-%Y%m%d-%H%M%S.tsr", &local);
    return name;
}

/// Windows and the periods between their begins are given together.
Status check_windows(const RecordOptions& options) {
    if (options.window.empty() != options.every.empty()) {
        return Error{"record: --window and --every are given together: attached for a window of each period"};
    }
    if (!options.window.empty() && *parse_duration(options.window) >= *parse_duration(options.every)) {
        return Error{"record: --window " + options.window + " is not shorter than --every " + options.every};
    }
    return Done{};
}

Status check(const RecordOptions& options) {
    const live::Selection& selection = options.session.selection;
    if (selection.pids.empty() && selection.ports.empty() && selection.comms.empty() && selection.cgroups.empty() &&
        selection.command.empty()) {
        return Error{
            "record: nothing to attach to: give --pid, --port, --comm, "
            "--cgroup or -- CMD"};
    }
    if (Status windows = check_windows(options); !windows) {
        return windows;
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
    const auto is_duration = [](const std::string& text) {
        const auto parsed = parse_duration(text);
        return parsed ? std::string() : parsed.error().what;
    };
    command
        ->add_option("-d,--duration", options->duration,
                     "How long: 60, 90s, 5m, 500ms; without it, until Ctrl-C or "
                     "the target's end")
        ->check(is_duration);
    command
        ->add_option("--window", options->window,
                     "With --every: attach for so long, then detach until the next period; costs the server as much less")
        ->check(is_duration);
    command->add_option("--every", options->every, "From one window's begin to the next one's, e.g. --window 5s --every 60s")
        ->check(is_duration);
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
