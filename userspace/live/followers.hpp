#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "live/facts.hpp"
#include "live/go_follower.hpp"
#include "live/library_follower.hpp"
#include "live/node_follower.hpp"
#include "live/python_follower.hpp"

namespace timesink::live {

/// Has the targets' language runtimes and libraries told what system calls do not. Owned by the session; uses the kernel side, so
/// goes before it.
class Followers {
public:
    using Tell = std::function<void(Json)>;
    Followers(KernelSide& kernel, const Tell& tell)
        : pythons_(kernel, tell), gos_(kernel, tell), nodes_(kernel, tell), libraries_(kernel, tell) {}

    /// `local_pid`: in timesink's pid namespace; `runtime`: as the `process` fact names it.
    void started(std::uint32_t pid, std::uint32_t local_pid, std::string_view runtime);
    /// It is gone, or runs another program.
    void ended(std::uint32_t pid);
    /// To be called again and again: runtimes start and libraries are loaded when they are first needed. `now`: CLOCK_MONOTONIC,
    /// ns.
    void look(std::uint64_t now);

private:
    PythonFollower pythons_;
    GoFollower gos_;
    NodeFollower nodes_;
    LibraryFollower libraries_;
};

}  // namespace timesink::live
