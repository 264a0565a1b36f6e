#include "live/own_priority.hpp"

#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <utility>

namespace timesink::live {

namespace {

constexpr auto kLook = std::chrono::milliseconds(10);
// A ring of the default size, 8 MiB, fills in 80 ms at the highest rate seen (100 MB/s); a look and a turn fit into half of that.
constexpr double kPress = 0.1;
constexpr double kRelax = 0.02;

}  // namespace

bool set_share(pid_t thread, Share share) {
    const sched_param parameters{.sched_priority = 0};
    const int policy = share == Share::left_over ? SCHED_IDLE : SCHED_OTHER;
    return sched_setscheduler(thread, policy | SCHED_RESET_ON_FORK, &parameters) == 0;
}

bool can_return_to_ordinary_share() {
    bool can = false;
    std::thread([&can] { can = set_share(0, Share::left_over) && set_share(0, Share::ordinary); }).join();
    return can;
}

OwnPriority::OwnPriority(std::function<double()> fill)
    : worker_(static_cast<pid_t>(syscall(SYS_gettid))), fill_(std::move(fill)) {
    if (!can_return_to_ordinary_share()) {
        spdlog::debug("scheduling stays as it is: SCHED_IDLE could not be left again");
        return;
    }
    kept_.emplace(pace_);
    // Made before the worker's policy changes: it keeps the ordinary one.
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

OwnPriority::~OwnPriority() = default;  // ends and joins the watcher

void OwnPriority::watch(const std::stop_token& stop) {
    bool idle = set_share(worker_, Share::left_over);
    while (!stop.stop_requested()) {
        std::this_thread::sleep_for(kLook);
        const double fill = fill_();
        if (idle ? fill > kPress : fill < kRelax) {
            idle = set_share(worker_, idle ? Share::ordinary : Share::left_over) != idle;
            pace_.hurry(!idle);
        }
    }
    set_share(worker_, Share::ordinary);
}

}  // namespace timesink::live
