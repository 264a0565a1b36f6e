#pragma once

#include <CLI/CLI.hpp>

namespace timesink::cli {

struct DoctorOptions {
    bool fix = false;
    bool json = false;
};

/// Adds `timesink doctor`; `options` must outlive the parsing.
CLI::App* add_doctor_options(CLI::App& program, DoctorOptions& options);
/// Prints what was found about this host and each probe. 0: timesink works here; 4: something that it needs is missing.
int run_doctor(const DoctorOptions& options);

}  // namespace timesink::cli
