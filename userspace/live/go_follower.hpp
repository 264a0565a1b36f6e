#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "live/facts.hpp"
#include "live/golang.hpp"
#include "live/kernel_side.hpp"

namespace timesink::live {

/// Has the goroutines of the targets that run Go followed, and says in `runtime` facts what is. Owned by the session; looks again
/// at each drain:
///
///   state     | what is waited for                          | then
///   ----------+---------------------------------------------+--------------------------------------------------------
///   searching | a Go program that is loaded                 | calls carry goroutines, requests of net/http's client that
///             |                                             | of who asked, and the making of goroutines is told: a probe
///             |                                             | at each go statement; fact
///   trying    | goroutines that serve no connection send    | over: it stays
///             | requests                                    |
///             | kTrial, in which requests were served       | known: that probe goes, as most servers need not pay; fact
///   known     | goroutines that serve no connection send    | over: it is put there again; fact
///             | requests                                    |
///   over      | –                                           | –
class GoFollower {
public:
    using Tell = std::function<void(Json)>;
    GoFollower(KernelSide& kernel, Tell tell) : kernel_(kernel), tell_(std::move(tell)) {}

    /// A process that may run Go. `local_pid`: in timesink's pid namespace.
    void started(std::uint32_t pid, std::uint32_t local_pid);
    /// It is gone, or runs another program.
    void ended(std::uint32_t pid);
    void look(std::uint64_t now);

private:
    enum class Stage : std::uint8_t { searching, trying, known, over };
    struct Process {
        std::uint32_t local_pid = 0;
        Stage stage = Stage::searching;
        int tries = 0;
        std::uint64_t next_ns = 0;
        std::uint64_t tried_until_ns = 0;
        bool births = false;  ///< the making of goroutines is told
        GoProcess go;
    };
    void search(std::uint32_t pid, Process& process, std::uint64_t now);
    void judge(std::uint32_t pid, Process& process, std::uint64_t now);
    Status watch_births(std::uint32_t pid, Process& process);
    Status forget_births(std::uint32_t pid, Process& process);
    Status tell_births(std::uint32_t pid, Process& process, bool told);
    Status watch_tls(std::uint32_t pid, const Process& process);
    void tell_tls(std::uint32_t pid, const Status& status) const;
    void tell(std::uint32_t pid, const Process& process, const Status& status) const;

    KernelSide& kernel_;
    Tell tell_;
    std::map<std::uint32_t, Process> processes_;  ///< by pid of the initial namespace
};

}  // namespace timesink::live
