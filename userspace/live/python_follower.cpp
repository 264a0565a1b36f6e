#include "live/python_follower.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "live/tries.hpp"

namespace timesink::live {

namespace {

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
        const bool due = process.next_ns <= now;
        if (due) {
            process.tries++;
            process.next_ns = now + (process.tries < kTriesInHaste ? kPause : kLongPause);
        }
        if (due && process.stage == Stage::searching) {
            search(pid, process);
        }
        if (due && process.stage == Stage::known) {
            search_task(pid, process);
        }
        if (process.stage == Stage::tasks) {
            search_threads(pid, process, due);
        }
    }
}

/// In this order, up to the first that cannot be attached.
Status PythonFollower::watch(std::uint32_t pid, const Process& process, std::initializer_list<Probe> probes) {
    for (const Probe& probe : probes) {
        for (const MappedFunction& function : probe.functions) {
            if (auto status = kernel_.watch(pid, process.local_pid, function, probe.program); !status) {
                return status;
            }
        }
    }
    return Done{};
}

/// `looks`: it is time to read the process's memory again, which takes a millisecond or two.
void PythonFollower::search_threads(std::uint32_t pid, Process& process, bool looks) {
    PythonProcess& python = process.python;
    const std::uint32_t wanted = process.copies ? 0 : kernel_.threads_have_contexts(pid);
    if (looks || wanted != process.wanted) {
        find_python_hand_over(process.local_pid, python);
    }
    process.wanted = wanted;
    Status status = Done{};
    bool news = false;
    if (!process.writes && !(python.writes.empty() && python.fast_writes.empty())) {
        python.config.buffers = 1;
        status = kernel_.follow(pid, python.config);
        if (status) {
            status = watch(pid, process, {{python.writes, "on_stream_written"}, {python.fast_writes, "on_stream_written_fast"}});
        }
        process.writes = news = true;
    }
    if (status && !process.executors && !python.puts.empty()) {
        // Who takes first: work that was put untold is taken as not known.
        status =
            watch(pid, process, {{python.gets, "on_work_got"}, {python.puts, "on_work_put_done"}, {python.puts, "on_work_put"}});
        process.executors = news = true;
    }
    if (status && !process.copies && (wanted == TS_THREADS_SURELY || python.has_workers) && !python.copies.empty()) {
        // The makers first: once copies are told, what is not told is taken as nothing new.
        status = watch(pid, process, {{python.makers, "on_context_made"}, {python.copies, "on_context_copied"}});
        process.copies = news = true;
    }
    if (!status || (process.executors && process.copies && process.tries >= kTriesInHaste)) {
        process.stage = Stage::over;
    }
    if (news) {
        tell(pid, process, status);
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
    auto status = kernel_.follow(pid, process.python.config);
    if (status) {
        status = kernel_.watch(pid, process.local_pid, *process.python.task, "on_task_made");
    }
    process.stage = status ? Stage::tasks : Stage::over;
    process.tries = 0;
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
    fact["lineage"] = !followed || !process.python.task || !status ? "none" : process.copies ? "copies" : "tasks";
    fact["executors"] = process.executors && status.ok();
    fact["buffered_writes"] = process.writes && status.ok();
    if (!status) {
        fact["error"] = status.error().what;
    } else if (process.python.found.sub_interpreters) {
        fact["error"] = "threads of its sub-interpreters are not followed";
    }
    tell_(std::move(fact));
}

}  // namespace timesink::live
