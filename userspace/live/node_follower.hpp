#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "live/facts.hpp"
#include "live/kernel_side.hpp"

namespace timesink::live {

/// Has the phases of Node.js's event loops told that no system call shows (TS_EVENT_LOOP_PHASE), where the program or its
/// library names the functions, and says in `runtime` facts which. Owned by the session.
class NodeFollower {
public:
    using Tell = std::function<void(Json)>;
    NodeFollower(KernelSide& kernel, Tell tell) : kernel_(kernel), tell_(std::move(tell)) {}

    /// `local_pid`: in timesink's pid namespace.
    void started(std::uint32_t pid, std::uint32_t local_pid);
    /// It is gone, or runs another program.
    void ended(std::uint32_t pid);
    void look(std::uint64_t now);

private:
    struct Process {
        std::uint32_t local_pid = 0;
        int tries = 0;
        bool over = false;
        std::uint64_t next_ns = 0;
    };
    bool watch(std::uint32_t pid, const Process& process);

    KernelSide& kernel_;
    Tell tell_;
    std::map<std::uint32_t, Process> processes_;  ///< by pid of the initial namespace
};

}  // namespace timesink::live
