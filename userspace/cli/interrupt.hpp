#pragma once

namespace timesink::cli {

/// Ctrl-C, SIGTERM and SIGHUP once: the run ends and is reported. A second one ends the process at once (exit code 130); its
/// descriptors close, so nothing stays attached, and the recording can be read up to its last section. Also makes a write to a
/// closed pipe or beyond a file size limit an error instead of a signal. Once per process.
void watch_for_interrupts();

/// One of them came.
bool interrupted();

}  // namespace timesink::cli
