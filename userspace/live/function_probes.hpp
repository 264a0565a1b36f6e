#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "live/mappings.hpp"

namespace timesink::live {

struct LinkCloser {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
/// An attached program; detached when it goes.
using Link = std::unique_ptr<bpf_link, LinkCloser>;

/// The descriptor of a link that libbpf does not know; closed when it goes.
class LinkDescriptor {
public:
    explicit LinkDescriptor(int descriptor) : descriptor_(descriptor) {}
    LinkDescriptor(LinkDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    LinkDescriptor& operator=(LinkDescriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    LinkDescriptor(const LinkDescriptor&) = delete;
    LinkDescriptor& operator=(const LinkDescriptor&) = delete;
    ~LinkDescriptor();

private:
    int descriptor_;
};

/// How programs are put at functions. `links`: BPF_TRACE_UPROBE_MULTI (Linux 6.6, commit 89ae89f53d20), for which they must be
/// loaded; a hit costs less, and many are let go of in the time of one. `perf_events`: by events of perf, one of which is let go
/// of after the other, some tenths of a second each.
enum class ProbeManner : std::uint8_t { links, perf_events };
/// What an expected_attach_type must be at loading for ProbeManner::links; newer than the headers that are compiled with.
inline constexpr std::uint32_t kTraceUprobeMulti = 48;

/// What is taken away together before its process ends.
enum class ProbeGroup : std::uint8_t { lasting, steps, births };

/// Programs at functions of the targets, by process. The programs belong to whoever loaded them and must outlive this.
class FunctionProbes {
public:
    struct Handler {
        const bpf_program* program;
        std::uint64_t cookie;  ///< what it finds with each hit, from Linux 5.15 on; 0: nothing
        bool at_return;        ///< of the function, not at its entry
    };
    FunctionProbes() = default;
    FunctionProbes(FunctionProbes&&) = delete;
    FunctionProbes& operator=(FunctionProbes&&) = delete;
    FunctionProbes(const FunctionProbes&) = delete;
    FunctionProbes& operator=(const FunctionProbes&) = delete;
    ~FunctionProbes() { clear(); }

    /// Before the first; as the programs were loaded.
    void attach_by(ProbeManner manner) { manner_ = manner; }
    /// `local_pid`: in timesink's pid namespace. Error: ESRCH when the process has ended.
    Status watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const Handler& handler,
                 ProbeGroup group);
    /// Returns before they are gone: the kernel waits for all CPUs at each of them, while records pile up.
    void unwatch(std::uint32_t pid, ProbeGroup group);
    /// Of all processes; returns before they are gone, too.
    void unwatch_all();
    /// Returns when all are gone.
    void clear();

private:
    using Probe = std::variant<Link, LinkDescriptor>;
    void let_go(std::vector<Probe>&& probes);

    ProbeManner manner_ = ProbeManner::perf_events;
    std::map<std::pair<std::uint32_t, ProbeGroup>, std::vector<Probe>> watched_;
    std::vector<std::future<void>> leaving_;
};

}  // namespace timesink::live
