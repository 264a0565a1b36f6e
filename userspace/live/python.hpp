#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "live/mappings.hpp"
#include "runtime/cpython.hpp"
#include "timesink/abi/attach.h"

namespace timesink::live {

/// What was found out about a process that runs CPython.
struct PythonProcess {
    bool present = false;  ///< it maps an interpreter
    runtime::CPythonState state = runtime::CPythonState::unsupported;
    std::string version;
    std::string reason;
    // when followed
    ts_python config{};
    std::optional<MappedFunction> task;       ///< Task.__init__; empty: asyncio is not imported, or not yet
    std::vector<MappedFunction> copies;       ///< return a copy of the current context
    std::vector<MappedFunction> makers;       ///< return another new context
    std::vector<MappedFunction> puts;         ///< hand work to executors; empty: no executor was imported, or not yet
    std::vector<MappedFunction> gets;         ///< return such work
    std::vector<MappedFunction> writes;       ///< give a transport what it will send later
    std::vector<MappedFunction> fast_writes;  ///< ditto, called otherwise
    bool has_workers = false;                 ///< threads to which work goes by copies of contexts were started
    std::vector<std::uint64_t> hand_over;     ///< where the functions above are, but for `makers`, as addresses
    runtime::CPython found;
};

/// Looks for asyncio's Task again; fills in `task` and config.task_bytes.
void find_python_task(std::uint32_t local_pid, PythonProcess& python);

/// Looks for where work goes to other threads; and for transports that send later; fills in the functions and
/// `has_workers`.
void find_python_hand_over(std::uint32_t local_pid, PythonProcess& python);

/// Reads the files that the process maps and its memory; changes nothing and stops nothing. `local_pid`: where timesink runs.
PythonProcess find_python(std::uint32_t local_pid);

}  // namespace timesink::live
