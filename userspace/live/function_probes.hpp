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
    /// At the entry of the function, or at its return if the program is for that. `local_pid`: in timesink's pid namespace.
    /// `cookie`: what the program finds with each hit, where the kernel has that (5.15); 0: nothing. Error: ESRCH when the
    /// process has ended.
    Status watch(std::uint32_t pid, std::uint32_t local_pid, const MappedFunction& function, const bpf_program& program,
                 std::uint64_t cookie, ProbeGroup group);
    /// Returns before they are gone: the kernel waits for all CPUs at each of them, while records pile up.
    void unwatch(std::uint32_t pid, ProbeGroup group);
    /// Returns when all are gone.
    void clear();

private:
    std::map<std::pair<std::uint32_t, ProbeGroup>, std::vector<Link>> watched_;
    std::vector<std::future<void>> leaving_;
};

}  // namespace timesink::live
