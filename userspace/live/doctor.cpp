#include "live/doctor.hpp"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>

#include "live/discovery.hpp"
#include "live/exercise.hpp"
#include "live/golang.hpp"
#include "live/probe_table.hpp"
#include "live/process_table.hpp"
#include "live/python.hpp"
#include "live/session.hpp"
#include "timesink/abi/events.h"

namespace timesink::live {

namespace {

Finding good(std::string subject, std::string found) {
    return {.subject = std::move(subject), .verdict = Verdict::good, .found = std::move(found), .costs = {}, .mend = {}};
}

struct KernelVersion {
    unsigned long major = 0;
    unsigned long minor = 0;
};

/// "6.1.0-18-amd64" -> 6, 1.
KernelVersion version_of(const utsname& name) {
    char* rest = nullptr;
    const unsigned long major = std::strtoul(name.release, &rest, 10);
    return {major, *rest == '.' ? std::strtoul(rest + 1, nullptr, 10) : 0};
}

Finding look_at_kernel() {
    utsname name{};
    uname(&name);
    const auto [major, minor] = version_of(name);
    // Atomic operations that return the old value (5.12) number sockets and records.
    if (major > 5 || (major == 5 && minor >= 12)) {
        return good("kernel", name.release);
    }
    return {"kernel", Verdict::missing, name.release, "nothing can be recorded", "a kernel of 5.12 or newer"};
}

Finding look_at_types() {
    if (access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
        return good("BTF", "/sys/kernel/btf/vmlinux");
    }
    return {"BTF", Verdict::missing, std::string("/sys/kernel/btf/vmlinux: ") + std::strerror(errno), "nothing can be recorded",
            "a kernel built with CONFIG_DEBUG_INFO_BTF (those of the distributions are), and /sys mounted"};
}

/// Bits of linux/capability.h.
Finding look_at_privileges() {
    constexpr std::uint64_t kSysAdmin = 1ULL << 21;
    constexpr std::uint64_t kPerfmon = 1ULL << 38;
    constexpr std::uint64_t kBpf = 1ULL << 39;
    const std::string status = read_text("/proc/self/status");
    const auto at = status.find("CapEff:\t");
    const auto held = at == std::string::npos ? 0ULL : std::strtoull(status.c_str() + at + 8, nullptr, 16);
    if ((held & kSysAdmin) != 0 || (held & (kBpf | kPerfmon)) == (kBpf | kPerfmon)) {
        return good("privileges", geteuid() == 0 ? "root" : "capabilities");
    }
    return {"privileges", Verdict::missing, "neither root nor CAP_BPF and CAP_PERFMON", "nothing can be recorded",
            "sudo timesink, or for containers: --privileged, or --cap-add BPF,PERFMON,SYS_PTRACE with the host's pid namespace"};
}

Finding look_at_compiler() {
    const std::string text = read_text("/proc/sys/net/core/bpf_jit_enable");
    if (text.empty() || text[0] != '0') {
        return good("JIT", text.empty() ? "always on" : "on");
    }
    return {"JIT", Verdict::reduced, "off: programs are interpreted",
            "each system call of the target costs several times as much", "sysctl net.core.bpf_jit_enable=1"};
}

Finding look_at_memlock() {
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    utsname name{};
    uname(&name);
    const auto [major, minor] = version_of(name);
    // Kernel commit 3731d0e6c1ad and its kin ("bpf: Eliminate rlimit-based memory accounting", 5.11).
    if (major > 5 || minor >= 11) {
        return good("locked memory", "not limited by rlimit on this kernel");
    }
    return good("locked memory", limit.rlim_cur == RLIM_INFINITY ? "unlimited" : "raised by timesink itself");
}

Finding look_at_lockdown() {
    const std::string text = read_text("/sys/kernel/security/lockdown");
    if (text.find("[confidentiality]") == std::string::npos) {
        return good("lockdown", text.find("[integrity]") == std::string::npos ? "none" : "integrity, which allows BPF");
    }
    return {"lockdown", Verdict::missing, "confidentiality: programs may not read the kernel's memory", "nothing can be recorded",
            "boot with lockdown=integrity or without"};
}

/// Return probes on a runtime's functions are perf events of this kind.
Finding look_at_user_probes() {
    if (access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0) {
        return good("user probes", "this kernel has them");
    }
    return {"user probes", Verdict::reduced, "none on this kernel",
            "on event loops of CPython, whose calls are whose is known only with one request in flight",
            "a kernel with CONFIG_UPROBE_EVENTS"};
}

/// The servers that run CPython now: whether their contexts can be followed.
void look_at_pythons(Examination& examination) {
    const auto discovery = discover_listeners();
    if (!discovery) {
        return;
    }
    std::set<std::uint32_t> seen;
    for (const Listener& listener : discovery->listeners) {
        if (listener.runtime.name != "python" || !seen.insert(listener.pid).second) {
            continue;
        }
        PythonProcess python = find_python(listener.pid);
        if (!python.present) {
            continue;
        }
        const std::string subject = "python " + python.version + " (pid " + std::to_string(listener.pid) + ")";
        if (python.state == runtime::CPythonState::unsupported) {
            examination.findings.push_back({subject, Verdict::reduced, python.reason,
                                            "on its event loop, whose calls are whose is known only with one request in flight",
                                            "CPython 3.8 to 3.14 with the GIL"});
        } else if (python.found.sub_interpreters) {
            examination.findings.push_back({subject, Verdict::reduced, "it has sub-interpreters",
                                            "calls of their threads have no context: whose they are is known by the thread only",
                                            "one interpreter a process"});
        } else {
            find_python_hand_over(listener.pid, python);
            const bool buffers = !python.writes.empty() || !python.fast_writes.empty();
            examination.findings.push_back(good(subject, buffers ? "its contexts can be followed, also where uvloop sends later"
                                                                 : "its contexts can be followed"));
        }
    }
}

/// The servers that run Go now: whether their goroutines can be followed.
void look_at_gos(Examination& examination) {
    const auto discovery = discover_listeners();
    if (!discovery) {
        return;
    }
    std::set<std::uint32_t> seen;
    for (const Listener& listener : discovery->listeners) {
        if (listener.runtime.name != "go" || !seen.insert(listener.pid).second) {
            continue;
        }
        const GoProcess go = find_go(listener.pid);
        const std::string subject = "go " + go.version + " (pid " + std::to_string(listener.pid) + ")";
        if (go.state != runtime::GoState::followed) {
            examination.findings.push_back({subject, Verdict::reduced, go.reason.empty() ? "cannot be looked into" : go.reason,
                                            "in it, whose calls are whose is known only with one request in flight",
                                            "a program built with a release of Go 1.17 to 1.26"});
        } else if (!go.maker) {
            examination.findings.push_back({subject, Verdict::reduced, "where its goroutines are made is not to be found",
                                            "whose calls are whose is not known where a request's goroutine makes others",
                                            "a program built by Go's own toolchain"});
        } else {
            examination.findings.push_back(good(subject, "its goroutines can be followed"));
        }
    }
}

/// Neither is needed by timesink: said because other tools that one reaches for next do need them.
Finding look_at_mount(const char* name, const char* path, const char* type, long magic, bool fix) {
    struct statfs mounted {};
    if (statfs(path, &mounted) == 0 && mounted.f_type == magic) {
        return good(name, std::string("mounted at ") + path + " (timesink does without)");
    }
    if (fix && mount(type, path, type, 0, nullptr) == 0) {
        return good(name, std::string("mounted now at ") + path);
    }
    Finding finding = good(name, "not mounted (timesink does without)");
    if (fix) {
        finding.found = std::string("cannot be mounted: ") + std::strerror(errno) + " (timesink does without)";
    }
    return finding;
}

/// Which probes have shown themselves in records. Some leave no record of their own.
class Evidence {
public:
    void take(std::span<const std::byte> bytes) {
        ts_event_head head{};
        while (bytes.size() >= sizeof(head)) {
            std::memcpy(&head, bytes.data(), sizeof(head));
            if (head.size < sizeof(head) || head.size > bytes.size()) {
                return;
            }
            take_record(head, bytes.first(head.size));
            bytes = bytes.subspan(head.size);
        }
    }
    [[nodiscard]] bool seen(const std::string& probe) const { return seen_.contains(probe); }

private:
    void take_record(const ts_event_head& head, std::span<const std::byte> record) {
        switch (head.kind) {
            case TS_EVENT_CALL:
                seen_.insert({"sys_enter", "sys_exit"});
                break;
            case TS_EVENT_ARRIVAL:
                seen_.insert({"sk_data_ready", "tcp_probe"});
                break;
            case TS_EVENT_SOCKET:
                if (head.cpu == TS_CPU_USERSPACE) {
                    seen_.insert("task_file");
                }
                break;
            case TS_EVENT_SOCKET_STATE:
                seen_.insert("inet_sock_set_state");
                break;
            case TS_EVENT_RETRANSMIT:
                seen_.insert("tcp_retransmit_skb");
                break;
            case TS_EVENT_TASK: {
                ts_task task{};
                std::memcpy(&task, record.data(), std::min(sizeof(task), record.size()));
                seen_.insert(task.operation == TS_TASK_FORK   ? "sched_process_fork"
                             : task.operation == TS_TASK_EXEC ? "sched_process_exec"
                                                              : "sched_process_exit");
                forked_.insert(task.operation == TS_TASK_FORK ? head.tid : 0);
                break;
            }
            case TS_EVENT_OFF_CPU: {
                ts_off_cpu off{};
                std::memcpy(&off, record.data(), std::min(sizeof(off), record.size()));
                seen_.insert("sched_switch");
                if (off.waker_tid != 0) {
                    seen_.insert("sched_waking");
                }
                if (forked_.contains(head.tid) && off.state == TS_OFF_PREEMPTED) {
                    seen_.insert("sched_wakeup_new");
                }
                break;
            }
            default:
                break;
        }
    }

    std::set<std::string> seen_;
    std::set<std::uint32_t> forked_;
};

const ProbeRow* row_of(const std::string& name) {
    const auto row =
        std::find_if(kProbes.begin(), kProbes.end(), [&](const ProbeRow& candidate) { return candidate.name == name; });
    return row == kProbes.end() ? nullptr : row;
}

/// There is no telling these to fire on a healthy host, or they write no record.
bool shows_itself(const std::string& probe) {
    return probe != "tcp_retransmit_skb" && probe != "tcp_destroy_sock" && probe != "sched_wakeup_new";
}

Finding judge(const Probe& probe, const Evidence& evidence) {
    Finding finding = good("probe " + probe.name + " (" + probe.type + ")", "attached, fired, seen");
    const ProbeRow* row = row_of(probe.name);
    if (!probe.attached) {
        finding.verdict = row != nullptr && row->indispensable ? Verdict::missing : Verdict::reduced;
        finding.found = probe.error;
    } else if (!evidence.seen(probe.name) && shows_itself(probe.name)) {
        finding.verdict = Verdict::reduced;
        finding.found = "attached and fired, but no record came";
    } else if (!evidence.seen(probe.name)) {
        finding.found = "attached; it cannot be seen to fire here";
    }
    if (finding.verdict != Verdict::good) {
        finding.costs = row != nullptr ? row->costs : kSocketListingCosts;
        finding.mend = row != nullptr ? row->mend : "a kernel of 5.12 or newer";
    }
    return finding;
}

void try_probes(bool raw, Examination& examination) {
    const char* kind = raw ? "raw_tp" : "tp_btf";
    auto exercise = Exercise::prepare();
    if (!exercise) {
        examination.findings.push_back(
            {"probes", Verdict::missing, exercise.error().what, "nothing was tried", "free some memory or processes"});
        return;
    }
    Evidence evidence;
    SessionOptions options;
    options.selection.pids = {exercise->pid()};
    options.ring_bytes = std::size_t{1} << 20;
    options.raw_tracepoints = raw;
    auto session = Session::open(options, [&](std::span<const std::byte> bytes) { evidence.take(bytes); });
    if (!session) {
        examination.findings.push_back({std::string("probes (") + kind + ")", Verdict::missing, session.error().what,
                                        "nothing can be recorded", "see above"});
        return;
    }
    exercise->go();
    for (int i = 0; i < 100 && !exercise->ended(); i++) {
        std::this_thread::sleep_for((*session)->drain_interval());
        if (!(*session)->drain()) {
            break;
        }
    }
    const auto closed = (*session)->close();
    for (const auto& probe : (*session)->probes()) {
        examination.findings.push_back(judge(probe, evidence));
    }
    if (!closed) {
        examination.findings.push_back(
            {"ring buffers", Verdict::missing, closed.error().what, "nothing can be recorded", "see above"});
    }
}

}  // namespace

bool Examination::usable() const {
    return std::none_of(findings.begin(), findings.end(),
                        [](const Finding& finding) { return finding.verdict == Verdict::missing; });
}

Examination examine_host(bool fix) {
    constexpr long kTracefs = 0x74726163;
    constexpr long kBpffs = 0xcafe4a11;
    Examination examination;
    examination.findings = {look_at_kernel(),
                            look_at_types(),
                            look_at_privileges(),
                            look_at_compiler(),
                            look_at_memlock(),
                            look_at_lockdown(),
                            look_at_user_probes(),
                            look_at_mount("tracefs", "/sys/kernel/tracing", "tracefs", kTracefs, fix),
                            look_at_mount("bpffs", "/sys/fs/bpf", "bpf", kBpffs, fix)};
    if (!examination.usable()) {
        return examination;
    }
    look_at_pythons(examination);
    look_at_gos(examination);
    try_probes(false, examination);
    // The fallback is tried too: it is what older kernels get, and a report from elsewhere may have been made with it.
    const bool fell_back = std::any_of(examination.findings.begin(), examination.findings.end(),
                                       [](const Finding& finding) { return finding.subject.ends_with("(raw_tp)"); });
    if (!fell_back) {
        try_probes(true, examination);
    }
    return examination;
}

}  // namespace timesink::live
