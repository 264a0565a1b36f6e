#include "live/tls_follower.hpp"

#include <cerrno>
#include <utility>

namespace timesink::live {

namespace {

constexpr std::uint64_t kPause = 200'000'000;
constexpr std::uint64_t kLongPause = 2'000'000'000;
constexpr int kTriesInHaste = 25;  // a service loads its libraries within some seconds

}  // namespace

void TlsFollower::started(std::uint32_t pid, std::uint32_t local_pid) {
    processes_[pid] = Process{.local_pid = local_pid, .seen = {}};
}

void TlsFollower::ended(std::uint32_t pid) {
    if (processes_.erase(pid) != 0) {
        kernel_.unfollow(pid);
    }
}

void TlsFollower::look(std::uint64_t now) {
    for (auto& [pid, process] : processes_) {
        if (process.next_ns <= now) {
            process.tries++;
            process.next_ns = now + (process.tries < kTriesInHaste ? kPause : kLongPause);
            watch(pid, process);
        }
    }
}

void TlsFollower::watch(std::uint32_t pid, Process& process) {
    for (const TlsLibrary& library : finder_.find(process.local_pid, process.seen)) {
        Status status = Done{};
        for (const auto& [function, program] : library.probes) {
            status = kernel_.watch(pid, process.local_pid, function, program, library.cookie);
            if (!status) {
                break;
            }
        }
        if (!status && status.error().errno_value == ESRCH) {
            return;  // it has ended meanwhile: nothing is wrong with it
        }
        Json fact{{"fact", "tls"}, {"pid", pid}, {"library", library.path}, {"named", library.cookie != 0}};
        if (!status) {
            fact["error"] = status.error().what;
        }
        tell_(std::move(fact));
    }
}

}  // namespace timesink::live
