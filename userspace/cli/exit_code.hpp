#pragma once

namespace timesink::cli {

/// What the program says when it ends; documented in docs/cli.md. Not CLI11's own codes: those are its implementation's business.
enum ExitCode : int {
    kDone = 0,
    kPartly = 1,        ///< a report was printed, but not all that was asked for could be done (the recording is not complete)
    kUsage = 2,         ///< options or arguments are wrong
    kUnreadable = 3,    ///< the recording cannot be read; with --strict: or not to its end
    kCannotAttach = 4,  ///< no such target, no permission, a kernel without what is needed
    kCannotWrite = 5,   ///< stdout, -o or --ready-file
    kAborted = 130,     ///< a second Ctrl-C
};

}  // namespace timesink::cli
