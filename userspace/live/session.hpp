#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "live/selection.hpp"

namespace timesink::live {

/// Gets whole records of include/timesink/abi/events.h, one after the other: bytes of the rings and facts of live/ alike. The
/// span lives until the call returns. Called only from within open(), drain() and close(), on the caller's thread.
using Sink = std::function<void(std::span<const std::byte>)>;

struct SessionOptions {
    Selection selection;
    std::size_t ring_bytes = std::size_t{8} << 20;            ///< per CPU; rounded up to a power of two, 64 KiB … 1 GiB
    std::uint32_t head_bytes = 4096;                          ///< captured from the begin of each call's payload, 0 … 16384
    std::uint32_t tail_bytes = 64;                            ///< captured from its end, 0 … 256
    Duration drain_interval = std::chrono::milliseconds(20);  ///< advice to the caller; see Session::drain_interval()
    bool raw_tracepoints = false;  ///< take the fallback even where tp_btf can be attached (tests, doctor)
    std::vector<std::string>
        leave_out;  ///< probes by name, not to be attached, as if the kernel had none such (tests, experiments)
    /// Asked from a thread of the session's own: true when the run is to end, so that it does so on a busy host too. May be
    /// empty.
    std::function<bool()> ends;
    std::vector<std::string> arguments;  ///< timesink's command line, for the `timesink` fact
};

/// A probe as it is after the attach; also written as a `probe` fact.
struct Probe {
    std::string name;  ///< of the tracepoint or iterator: "sys_enter", "sk_data_ready", "task_file"
    std::string type;  ///< "tp_btf", "raw_tp", "iter"
    bool attached = false;
    std::string error;  ///< why not; empty when attached
    std::string costs;  ///< what its absence costs in the report
};

struct SessionTotals {
    std::uint64_t records = 0;  ///< handed to the sink
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;     ///< did not fit into the rings, all CPUs
    std::size_t processes = 0;  ///< targets seen so far, those that are gone included
};

/// A live attach: owns the probes, the rings and the started command, and turns them into one stream of records. The only thing
/// in timesink that speaks to the kernel's BPF. Nothing is pinned: when the process ends in whatever way, the descriptors close
/// and the probes are gone.
///
/// Use: open(); then, until the run is over, wait drain_interval() and drain(); then close(). Everything that the analysis must
/// know about the host and the targets is in the stream as facts (docs/event-abi.md); each drain ends with a watermark.
/// Not thread-safe; all calls from one thread. The rings hold what comes between two drains: a late drain() loses records (which
/// are counted), an early one costs CPU.
class Session {
public:
    /// Selects, loads, attaches, marks the targets' threads, lists their open sockets, lets the command exec. When it returns,
    /// all probes are live and the sink has the facts up to `attached`. Error: the selection names nothing, no permission, no
    /// BTF, a probe that nothing works without; nothing stays attached then, and the command is not run.
    static Result<std::unique_ptr<Session>> open(const SessionOptions& options, Sink sink);
    /// Attaches anew after close(), with the same options and sink, to what the selection names now: cheaper than open(), for the
    /// programs are loaded already. Its own cost counts from that close() on; a command that was started is a target while it
    /// runs. Takes `closed` unless the selection names nothing: ECHILD, the processes that it named by pid have ended, and so has
    /// the command; else it may name something later, and be tried again, as when they end while this attaches (ESRCH). Other
    /// errors as open()'s, and nothing stays attached.
    static Result<std::unique_ptr<Session>> reopen(std::unique_ptr<Session>& closed);
    /// Detaches without a word to the sink. A command that was started goes on by itself.
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Hands everything that the rings hold to the sink, then the facts that are due (`process` for new processes, `sample` and
    /// `host_sample` once a second), then the watermark.
    Status drain();
    /// Detaches, drains for the last time and writes `drops`, `own_cost`, `detached`: whatever comes to the sink after that is of
    /// another attach. Further calls do nothing.
    Status close();

    [[nodiscard]] Duration drain_interval() const;
    /// How many target processes still run. 0: there is nothing left to record. As of the last drain().
    [[nodiscard]] std::size_t targets_alive() const;
    /// Of the started command, as from waitpid(); empty while it runs or when there is none. As of the last drain().
    [[nodiscard]] std::optional<int> command_status() const;
    /// Pid of the started command where timesink runs; 0: none. To pass signals on.
    [[nodiscard]] std::uint32_t command_pid() const;
    [[nodiscard]] const std::vector<Probe>& probes() const;
    [[nodiscard]] SessionTotals totals() const;

private:
    struct State;
    explicit Session(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace timesink::live
