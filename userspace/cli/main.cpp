#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/doctor.hpp"
#include "cli/list.hpp"
#include "cli/message.hpp"

namespace timesink::cli {
namespace {

Command add_list(CLI::App& program, const std::vector<std::string>&) {
    const auto options = std::make_shared<ListOptions>();
    return {add_list_options(program, *options), [options] { return run_list(*options); }};
}

Command add_doctor(CLI::App& program, const std::vector<std::string>&) {
    const auto options = std::make_shared<DoctorOptions>();
    return {add_doctor_options(program, *options), [options] { return run_doctor(*options); }};
}

/// Every command, in the order of the help.
constexpr Command (*kCommands[])(CLI::App&, const std::vector<std::string>&) = {add_record,  add_report, add_export,
                                                                                add_explain, add_list,   add_doctor};

/// What timesink does inside, and what libbpf and the kernel's verifier say: for reports of faults. To stderr, as all but data.
void add_log_level(CLI::App& program) {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("timesink"));
    spdlog::set_pattern("timesink: %l: %v");
    spdlog::set_level(spdlog::level::warn);
    program
        .add_option_function<std::string>(
            "--log-level", [](const std::string& name) { spdlog::set_level(spdlog::level::from_str(name)); },
            "What else goes to stderr; 'debug' has what the kernel says of probes, 'trace' all of libbpf")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
        ->default_str("warning");
}

int run(int argc, char** argv) {
    CLI::App program("Says where the wall time of every request of a running server went.", "timesink");
    program.require_subcommand(1);
    add_log_level(program);
    program.set_version_flag("--version", "timesink " TIMESINK_VERSION);
    const std::vector<std::string> arguments(argv, argv + argc);
    std::vector<Command> commands;
    for (const auto add : kCommands) {
        commands.push_back(add(program, arguments));
    }
    try {
        program.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return print(program.help());
    } catch (const CLI::CallForVersion& version) {
        return print(std::string(version.what()) + "\n");
    } catch (const CLI::CallForAllHelp&) {
        return print(program.help("", CLI::AppFormatMode::All));
    } catch (const CLI::ParseError& error) {
        const auto chosen = program.get_subcommands();
        // CLI11 says only that a command is missing when it does not know the one that was given.
        if (chosen.empty() && argc > 1 && argv[1][0] != '-') {
            return fail(kUsage, Error{"there is no command '" + arguments[1] + "'"}, "'timesink --help' lists what there is.");
        }
        const std::string name = chosen.empty() ? "timesink" : "timesink " + chosen.front()->get_name();
        return fail(kUsage, Error{error.what()}, "'" + name + " --help' lists what there is.");
    }
    for (const Command& command : commands) {
        if (command.options->parsed()) {
            return command.run();
        }
    }
    return kUsage;
}

}  // namespace
}  // namespace timesink::cli

int main(int argc, char** argv) {
    try {
        return timesink::cli::run(argc, argv);
    } catch (const std::exception& error) {
        // Out of memory, or a mistake of ours: still one line, not a core dump.
        timesink::cli::say_error(error.what());
        return timesink::cli::kPartly;
    }
}
