#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "live/facts.hpp"
#include "live/kernel_side.hpp"
#include "live/libraries.hpp"
#include "live/step_budget.hpp"

namespace timesink::live {

/// Has what the targets give to OpenSSL and get from it told, and what they have SQLite execute, and says in `tls` and `sqlite`
/// facts of which libraries. Owned by the session; looks at what a process maps again and again, for libraries are loaded when
/// they are first needed.
class LibraryFollower {
public:
    using Tell = std::function<void(Json)>;
    LibraryFollower(KernelSide& kernel, Tell tell) : kernel_(kernel), tell_(std::move(tell)) {}

    /// `local_pid`: in timesink's pid namespace.
    void started(std::uint32_t pid, std::uint32_t local_pid);
    /// It is gone, or runs another program.
    void ended(std::uint32_t pid);
    void look(std::uint64_t now);

private:
    struct Process {
        std::uint32_t local_pid = 0;
        std::set<std::string> seen;               ///< files, by device and inode
        std::optional<std::uint64_t> executable;  ///< executable_bytes() at the last look
        int tries = 0;
        std::uint64_t next_ns = 0;
        std::vector<std::pair<MappedFunction, std::string>> steps;  ///< SQLite: what is taken away while the budget is empty
        StepBudget budget;
    };
    void watch(std::uint32_t pid, Process& process);
    void keep_to_budget(std::uint32_t pid, Process& process, std::uint64_t now);
    [[nodiscard]] Status attach(std::uint32_t pid, Process& process, const Library& library);

    KernelSide& kernel_;
    Tell tell_;
    LibraryFinder finder_;
    std::map<std::uint32_t, Process> processes_;  ///< by pid of the initial namespace
};

}  // namespace timesink::live
