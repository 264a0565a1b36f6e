#include "live/python_follower.hpp"

#include <cerrno>
#include <utility>

namespace timesink::live {

namespace {

constexpr std::uint64_t kPause = 200'000'000;
constexpr std::uint64_t kLongPause = 2'000'000'000;
constexpr int kTriesInHaste = 25;    // a service imports its modules within some seconds
constexpr int kTriesWithoutOne = 5;  // to find an interpreter in a process that maps none: servers load it when they start

}  // namespace

void PythonFollower::started(std::uint32_t pid, std::uint32_t local_pid) {
    processes_[pid] = Process{.local_pid = local_pid, .python = {}};
}

void PythonFollower::ended(std::uint32_t pid) {
    if (processes_.erase(pid) != 0) {
        kernel_.unfollow(pid);
    }
}

void PythonFollower::look(std::uint64_t now) {
    for (auto& [pid, process] : processes_) {
        if (process.stage == Stage::over) {
            continue;
        }
        if (process.stage == Stage::tasks) {
            if (kernel_.threads_have_contexts(pid)) {
                const auto status = kernel_.watch_copies_of(pid, process.local_pid, process.python);
                process.stage = Stage::over;
                tell(pid, process, status);
            }
            continue;
        }
        if (process.next_ns > now) {
            continue;
        }
        process.tries++;
        process.next_ns = now + (process.tries < kTriesInHaste ? kPause : kLongPause);
        if (process.stage == Stage::searching) {
            search(pid, process);
        }
        if (process.stage == Stage::known) {
            search_task(pid, process);
        }
    }
}

void PythonFollower::search(std::uint32_t pid, Process& process) {
    process.python = find_python(process.local_pid);
    const bool may_come =
        process.python.state == runtime::CPythonState::starting || (!process.python.present && process.tries < kTriesWithoutOne);
    if (may_come) {
        return;
    }
    process.stage = Stage::over;
    if (!process.python.present) {
        return;
    }
    if (process.python.state == runtime::CPythonState::unsupported) {
        tell(pid, process, Error{process.python.reason});
        return;
    }
    if (auto status = kernel_.follow(pid, process.python.config); !status) {
        tell(pid, process, status);
        return;
    }
    process.stage = Stage::known;
    process.tries = 0;
    if (!process.python.task) {
        tell(pid, process, Done{});
    }
}

void PythonFollower::search_task(std::uint32_t pid, Process& process) {
    if (!process.python.task) {
        find_python_task(process.local_pid, process.python);
    }
    if (!process.python.task) {
        return;
    }
    if (maps_uvloop(process.local_pid)) {
        kernel_.unfollow(pid);  // to read contexts would cost, and tell nothing
        process.stage = Stage::over;
        process.python.state = runtime::CPythonState::unsupported;
        tell(pid, process, Error{"uvloop, which writes outside of its tasks' contexts"});
        return;
    }
    auto status = kernel_.follow(pid, process.python.config);
    if (status) {
        status = kernel_.watch_tasks_of(pid, process.local_pid, process.python);
    }
    process.stage = status ? Stage::tasks : Stage::over;
    tell(pid, process, status);
}

void PythonFollower::tell(std::uint32_t pid, const Process& process, const Status& status) const {
    if (!status && status.error().errno_value == ESRCH) {
        return;  // it has ended meanwhile: nothing is wrong with it
    }
    const bool followed = process.python.state == runtime::CPythonState::followed;
    Json fact{{"fact", "runtime"}, {"pid", pid}, {"runtime", "python"}};
    if (!process.python.version.empty()) {
        fact["version"] = process.python.version;
    }
    fact["contexts"] = followed;
    fact["lineage"] = !followed || !process.python.task || !status ? "none" : process.stage == Stage::tasks ? "tasks" : "all";
    if (!status) {
        fact["error"] = status.error().what;
    }
    tell_(std::move(fact));
}

}  // namespace timesink::live
