#pragma once

#include <chrono>
#include <cstdint>

namespace timesink::live {

/// How much of the host's CPU time nobody wants, from /proc/stat (proc_stat(5): fields 4 and 5, idle and iowait, of the line of
/// all CPUs). Of a host, also within a container: CPUs that others keep busy are not free for anybody here either.
class IdleShare {
public:
    static constexpr auto kInterval = std::chrono::seconds(1);

    /// Of the last whole interval, 0 … 1; 0 before there is one, and where /proc cannot be read. `now`: of one monotonic clock.
    double at(std::chrono::nanoseconds now);

private:
    std::chrono::nanoseconds read_at_{};
    std::uint64_t idle_ = 0;  ///< ticks since the start of the host
    std::uint64_t all_ = 0;
    double share_ = 0;
};

}  // namespace timesink::live
