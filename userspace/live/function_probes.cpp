#include "live/function_probes.hpp"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <utility>

#include "live/kernel_errors.hpp"

namespace timesink::live {

namespace {

/// So many are let go of at once: the kernel's waits for all CPUs run side by side, but each takes a thread.
constexpr std::size_t kMostLeaving = 32;

/// union bpf_attr of BPF_LINK_CREATE, as far as BPF_TRACE_UPROBE_MULTI has it (include/uapi/linux/bpf.h of Linux 6.6).
struct LinkCreate {
    std::uint32_t program;
    std::uint32_t target;
    std::uint32_t attach_type;
    std::uint32_t flags;
    std::uint64_t path;
    std::uint64_t offsets;
    std::uint64_t reference_counters;
    std::uint64_t cookies;
    std::uint32_t count;
    std::uint32_t uprobe_flags;
    std::uint32_t pid;
    std::uint32_t reserved;
};
static_assert(sizeof(LinkCreate) == 64);
constexpr std::uint32_t kAtReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN

/// A descriptor, or -1 and errno.
int create_link(std::uint32_t local_pid, const std::string& path, std::uint64_t place, const FunctionProbes::Handler& handler) {
    LinkCreate create{};
    create.program = static_cast<std::uint32_t>(bpf_program__fd(handler.program));
    create.attach_type = kTraceUprobeMulti;
    create.path = reinterpret_cast<std::uintptr_t>(path.c_str());
    create.offsets = reinterpret_cast<std::uintptr_t>(&place);
    create.cookies = reinterpret_cast<std::uintptr_t>(&handler.cookie);
    create.count = 1;
    create.uprobe_flags = handler.at_return ? kAtReturn : 0;
    create.pid = local_pid;
    return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create)));
}

}  // namespace

LinkDescriptor::~LinkDescriptor() {
    if (descriptor_ >= 0) {
        close(descriptor_);
    }
}

Status FunctionProbes::watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const Handler& handler,
                             ProbeGroup group) {
    constexpr const char* kRefused = "a probe on its functions cannot be attached";
    const std::uint64_t place =
        function.offset + runtime::cheap_place(code_of(function), function.convention, handler.at_return).value_or(0);
    std::vector<Probe>& probes = watched_[{pid, group}];
    if (manner_ == ProbeManner::links) {
        const int descriptor = create_link(local_pid, function.path, place, handler);
        if (descriptor < 0) {
            return failure(kRefused, errno);
        }
        probes.emplace_back(LinkDescriptor(descriptor));
        return Done{};
    }
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.retprobe = handler.at_return;
    options.bpf_cookie = handler.cookie;
    Link link(
        bpf_program__attach_uprobe_opts(handler.program, static_cast<pid_t>(local_pid), function.path.c_str(), place, &options));
    if (!link) {
        return failure(kRefused, errno);
    }
    probes.emplace_back(std::move(link));
    return Done{};
}

void FunctionProbes::let_go(std::vector<Probe>&& probes) {
    std::erase_if(leaving_, [](const auto& done) { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    const std::size_t share = (probes.size() + kMostLeaving - 1) / kMostLeaving;
    for (std::size_t first = 0; first < probes.size(); first += share) {
        std::vector<Probe> part;
        for (std::size_t i = first; i < std::min(first + share, probes.size()); ++i) {
            part.push_back(std::move(probes[i]));
        }
        leaving_.push_back(std::async(std::launch::async, [gone = std::move(part)]() mutable { gone.clear(); }));
    }
}

void FunctionProbes::unwatch(std::uint32_t pid, ProbeGroup group) {
    if (auto probes = watched_.extract({pid, group})) {
        let_go(std::move(probes.mapped()));
    }
}

void FunctionProbes::unwatch_all() {
    std::vector<Probe> all;
    for (auto& [process, probes] : std::exchange(watched_, {})) {
        std::move(probes.begin(), probes.end(), std::back_inserter(all));
    }
    let_go(std::move(all));
}

void FunctionProbes::clear() {
    unwatch_all();
    leaving_.clear();
}

}  // namespace timesink::live
