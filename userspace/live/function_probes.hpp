#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "live/mappings.hpp"

namespace timesink::live {

struct LinkCloser {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
/// An attached program; detached when it goes.
using Link = std::unique_ptr<bpf_link, LinkCloser>;

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
    std::map<std::pair<std::uint32_t, ProbeGroup>, std::vector<Link>> watched_;
    std::vector<std::future<void>> leaving_;
};

}  // namespace timesink::live
