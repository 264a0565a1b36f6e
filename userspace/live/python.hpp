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
    std::optional<MappedFunction> task;  ///< Task.__init__; empty: asyncio is not imported, or not yet
    std::vector<MappedFunction> copies;  ///< return a copy of the current context
    std::vector<MappedFunction> makers;  ///< return another new context
    runtime::CPython found;
};

/// Looks for asyncio's Task again; fills in `task` and config.task_bytes.
void find_python_task(std::uint32_t local_pid, PythonProcess& python);
/// A mapped file is uvloop, which makes its calls in no task's context.
bool maps_uvloop(std::uint32_t local_pid);

/// Reads the files that the process maps and its memory; changes nothing and stops nothing. `local_pid`: where timesink runs.
PythonProcess find_python(std::uint32_t local_pid);

}  // namespace timesink::live
