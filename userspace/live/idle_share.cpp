#include "live/idle_share.hpp"

#include <fstream>
#include <string>

namespace timesink::live {

double IdleShare::at(std::chrono::nanoseconds now) {
    if (all_ != 0 && now - read_at_ < kInterval) {
        return share_;
    }
    std::ifstream stat("/proc/stat");
    std::string name;
    stat >> name;
    constexpr int kFields = 8;  // up to steal; the times of guests behind it are in those of user and nice
    constexpr int kIdle = 3;
    constexpr int kWaiting = 4;  // for I/O, with nothing to run
    std::uint64_t all = 0;
    std::uint64_t idle = 0;
    std::uint64_t ticks = 0;
    for (int field = 0; field < kFields && stat >> ticks; ++field) {
        all += ticks;
        idle += field == kIdle || field == kWaiting ? ticks : 0;
    }
    const bool measured = all_ != 0 && all > all_ && idle >= idle_;  // iowait may go backwards
    share_ = measured ? static_cast<double>(idle - idle_) / static_cast<double>(all - all_) : 0;
    all_ = all;
    idle_ = idle;
    read_at_ = now;
    return share_;
}

}  // namespace timesink::live
