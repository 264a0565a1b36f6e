#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace timesink::live {

/// What the user asked to attach to. The parts add up: everything that any of them names is a target, with its descendants.
/// Processes that come to a port, a name or a cgroup only after the attach are not added unless a target forked them.
struct Selection {
    std::vector<std::uint32_t> pids;   ///< as seen in /proc of where timesink runs
    std::vector<std::uint16_t> ports;  ///< TCP ports that a process listens on, in any network namespace
    std::vector<std::string> comms;    ///< exact command names (/proc/PID/comm)
    std::vector<std::string> cgroups;  ///< paths, absolute or below a cgroup mount (v1 or v2); descendants included
    std::vector<std::string> command;  ///< started by the session, stopped before its exec until all probes are live
};

/// One process that a part of the selection named. `by` and `value` go into the `target` fact.
struct SelectedProcess {
    std::uint32_t pid;  ///< as seen in /proc of where timesink runs
    std::string by;     ///< "pid", "port", "comm", "cgroup", "command"
    std::string value;
};

/// The running processes that the selection names (its command excepted), without their descendants, sorted by pid, each once.
/// An Error names the first part that names nothing: no such process, nothing listening, no such cgroup, an empty selection.
Result<std::vector<SelectedProcess>> select_processes(const Selection& selection);

}  // namespace timesink::live
