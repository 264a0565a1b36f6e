#pragma once

#include <CLI/CLI.hpp>

namespace timesink::cli {

struct ListOptions {
    bool json = false;
    bool unix_sockets = false;  ///< also servers that listen on unix sockets only
};

/// Adds `timesink list`; `options` must outlive the parsing.
CLI::App* add_list_options(CLI::App& program, ListOptions& options);
/// Prints what could be attached to. 0; 4: /proc cannot be read.
int run_list(const ListOptions& options);

}  // namespace timesink::cli
