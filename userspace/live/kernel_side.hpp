#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "live/function_probes.hpp"
#include "live/mappings.hpp"
#include "live/session.hpp"
#include "timesink/abi/attach.h"

namespace timesink::live {

/// Time that a program of ours ran, as the kernel counted while it was told to count; and, counted always, how often it did not
/// run because it was at work on that CPU already (bpf_prog_info.recursion_misses, kernel commit 9ed9e9ba2337, 5.12).
struct ProgramRunTime {
    std::string program;
    std::uint64_t runs = 0;
    std::uint64_t ns = 0;
    std::uint64_t left_out = 0;
};

/// The programs, their maps and rings in this process's hands. Loads the tp_btf programs and, where the kernel refuses them, the
/// raw_tp ones. Everything is undone when it goes. Steps in this order: load, watch_tasks, mark_threads (until nothing is new),
/// watch_sockets, list_sockets(listeners), watch_calls, list_sockets(the others).
class KernelSide {
public:
    struct Limits {
        std::size_t ring_bytes;
        std::uint32_t head_bytes;
        std::uint32_t tail_bytes;
        bool raw_tracepoints;
        std::vector<std::string> leave_out;
    };
    /// Error: no permission, no BTF, or a kernel that takes neither kind of program.
    static Result<std::unique_ptr<KernelSide>> load(const Limits& limits);
    ~KernelSide();
    KernelSide(const KernelSide&) = delete;
    KernelSide& operator=(const KernelSide&) = delete;

    [[nodiscard]] bool raw_tracepoints() const;
    /// Processes by their ids in timesink's pid namespace.
    Status select(std::uint32_t local_pid);
    Status watch_tasks();
    Status watch_sockets();
    Status watch_calls();
    /// Marks threads that are not marked yet and lists all threads of the targets. `fresh`: how many were newly marked.
    struct Marked {
        std::vector<ts_listed_thread> threads;
        std::uint64_t fresh = 0;
    };
    Result<Marked> mark_threads();
    enum class Listing : std::uint8_t { listeners, connections };
    /// ts_socket records, head.sequence to be set.
    Result<std::vector<std::byte>> list_sockets(Listing what);
    /// What is read at the calls of a process that runs CPython; again: changes it. `pid`: of the initial namespace.
    Status follow(std::uint32_t pid, const ts_python& python);
    /// An enum ts_threads_have_contexts, 0: none. Where the contexts of threads come from is known only by copies.
    [[nodiscard]] std::uint32_t threads_have_contexts(std::uint32_t pid) const;
    /// What is read at the calls of a process that runs Go; again: changes it.
    Status follow(std::uint32_t pid, const ts_go& go);
    /// As the kernel side has it now; empty: it is not followed.
    [[nodiscard]] std::optional<ts_go> followed_go(std::uint32_t pid) const;
    /// What the process has SQLite do is told from now on, once the probes for that are there.
    Status follow_sqlite(std::uint32_t pid);
    /// Puts a program of bpf/, by its name, or by that of a place of on_plaintext, at the entry of a function of the process,
    /// until that is no longer followed, or at its return if it is for that. `cookie`: what the program finds with each hit;
    /// 0: nothing. `group`: what unwatch() takes away again, with that group.
    Status watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const std::string& program,
                 std::uint64_t cookie = 0, ProbeGroup group = ProbeGroup::lasting);
    void unwatch(std::uint32_t pid, ProbeGroup group);
    /// Steps of SQLite that were counted in the process.
    [[nodiscard]] std::uint64_t sqlite_steps(std::uint32_t pid) const;
    /// Before its steps are watched again: what was open when they went is over.
    Status resume_sqlite(std::uint32_t pid);
    /// The process has ended, or runs another program.
    void unfollow(std::uint32_t pid);
    /// Nothing is told from now on that belongs together. Returns before the kernel has let go of the functions, which takes it
    /// some tenths of a second (for each of them, before Linux 6.13).
    void detach();
    /// Behind detach(): waits until that is done. Then all is as after load(), without another look of the verifier's at the
    /// programs: nothing is selected, marked or known, the rings are empty.
    Status restart();

    /// Every record that the rings hold, up to those younger than `until_ns` by some margin; then returns even when more keep
    /// coming.
    using RecordSink = std::function<void(std::span<const std::byte>)>;
    Status drain(std::uint64_t until_ns, const RecordSink& sink);
    /// Share of the fullest ring that waits to be drained, 0 … 1. May be called from any thread.
    [[nodiscard]] double fill() const;
    /// Per CPU; only CPUs with a ring.
    [[nodiscard]] std::vector<ts_cpu> counters() const;
    [[nodiscard]] std::uint64_t threads_missed() const;
    /// Since loading, counted only while a descriptor of enable_run_time() is open.
    [[nodiscard]] std::vector<ProgramRunTime> run_times() const;
    [[nodiscard]] const std::vector<Probe>& probes() const;

private:
    struct State;
    explicit KernelSide(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Makes the kernel count the run time of all BPF programs while the descriptor is open; -1 where it cannot.
int enable_run_time();

}  // namespace timesink::live
