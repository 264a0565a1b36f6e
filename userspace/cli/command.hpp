#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

/// The commands: one file each, one line each in main.cpp. A function adds the
/// command's options to the program and returns what runs it; the options'
/// storage lives in the returned function.
namespace timesink::cli {

struct Command {
    CLI::App* options;
    std::function<int()> run;  ///< returns an ExitCode
};

/// `arguments`: the whole command line, for the commands that record it.
Command add_record(CLI::App& program, const std::vector<std::string>& arguments);
Command add_report(CLI::App& program, const std::vector<std::string>& arguments);
Command add_export(CLI::App& program, const std::vector<std::string>& arguments);
Command add_explain(CLI::App& program, const std::vector<std::string>& arguments);

}  // namespace timesink::cli
