#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <vector>

#include "live/facts.hpp"
#include "live/kernel_side.hpp"
#include "live/python.hpp"

namespace timesink::live {

/// Has the contexts of the targets that run CPython followed, as soon as there is something to follow, and says in `runtime`
/// facts what is. Owned by the session; looks again at each drain, as an interpreter starts, imports asyncio, or begins to use
/// threads:
///
///   state     | what is waited for                      | then
///   ----------+-----------------------------------------+----------------------------------------------
///   searching | an interpreter that is up               | calls carry contexts; fact
///   known     | asyncio's Task                          | the making of tasks is told; fact
///   tasks     | uvloop that sends later                 | what its transports are given is told; fact
///             | the queue of executors                  | what is put into it and taken out is told; fact
///             | a worker thread of anyio, or any that   | copies that programs make are told, which is dearer; fact
///             | goes on in contexts without tasks       |
///   over      | –                                       | –
class PythonFollower {
public:
    using Tell = std::function<void(Json)>;
    PythonFollower(KernelSide& kernel, Tell tell) : kernel_(kernel), tell_(std::move(tell)) {}

    /// A process that may run Python. `local_pid`: in timesink's pid namespace.
    void started(std::uint32_t pid, std::uint32_t local_pid);
    /// It is gone, or runs another program.
    void ended(std::uint32_t pid);
    void look(std::uint64_t now);

private:
    enum class Stage : std::uint8_t { searching, known, tasks, over };
    struct Process {
        std::uint32_t local_pid = 0;
        Stage stage = Stage::searching;
        bool writes = false;     ///< to transports that send later, are told
        bool executors = false;  ///< ditto
        bool copies = false;     ///< ditto
        std::uint32_t wanted = 0;
        int tries = 0;
        std::uint64_t next_ns = 0;
        PythonProcess python;
    };
    struct Probe {
        const std::vector<MappedFunction>& functions;
        const char* program;
    };
    Status watch(std::uint32_t pid, const Process& process, std::initializer_list<Probe> probes);
    void search(std::uint32_t pid, Process& process);
    void search_task(std::uint32_t pid, Process& process);
    void search_threads(std::uint32_t pid, Process& process, bool looks);
    void tell(std::uint32_t pid, const Process& process, const Status& status) const;

    KernelSide& kernel_;
    Tell tell_;
    std::map<std::uint32_t, Process> processes_;  ///< by pid of the initial namespace
};

}  // namespace timesink::live
