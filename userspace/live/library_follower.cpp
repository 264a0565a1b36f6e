#include "live/library_follower.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "live/tries.hpp"

namespace timesink::live {

namespace {

constexpr std::string_view kStepPrograms = "on_sqlite_step";
constexpr int kTriesSure = 10;  // each so many look at all mappings, whether or not more or less is mapped

}  // namespace

void LibraryFollower::started(std::uint32_t pid, std::uint32_t local_pid) {
    processes_[pid] = Process{.local_pid = local_pid, .seen = {}};
}

void LibraryFollower::ended(std::uint32_t pid) {
    if (processes_.erase(pid) != 0) {
        kernel_.unfollow(pid);
    }
}

void LibraryFollower::look(std::uint64_t now) {
    for (auto& [pid, process] : processes_) {
        if (process.next_ns <= now) {
            process.tries++;
            process.next_ns = now + (process.tries < kTriesInHaste ? kPause : kLongPause);
            const auto executable = executable_bytes(process.local_pid);
            // Of two that were exchanged the sums may be the same.
            const bool all_the_same = executable && executable == process.executable && process.tries % kTriesSure != 0;
            process.executable = executable;
            if (!all_the_same) {
                watch(pid, process);
            }
        }
        if (!process.steps.empty()) {
            keep_to_budget(pid, process, now);
        }
    }
}

void LibraryFollower::keep_to_budget(std::uint32_t pid, Process& process, std::uint64_t now) {
    const auto verdict = process.budget.judge(now, kernel_.sqlite_steps(pid));
    if (verdict == StepBudget::Verdict::go_on) {
        return;
    }
    const bool pauses = verdict == StepBudget::Verdict::pause;
    Json fact{{"fact", "sqlite"}, {"pid", pid}, {"steps", pauses ? "paused" : "resumed"}};
    if (pauses) {
        kernel_.unwatch(pid, ProbeGroup::steps);
    } else if (const auto status = kernel_.resume_sqlite(pid); !status) {
        return;  // it has ended
    }
    for (std::size_t i = 0; !pauses && i < process.steps.size(); i++) {
        const auto& [function, program] = process.steps[i];
        if (const auto status = kernel_.watch(pid, process.local_pid, function, program, 0, ProbeGroup::steps); !status) {
            fact["error"] = status.error().what;
        }
    }
    tell_(std::move(fact));
}

Status LibraryFollower::attach(std::uint32_t pid, Process& process, const Library& library) {
    if (library.kind == LibraryKind::sqlite) {
        if (auto status = kernel_.follow_sqlite(pid); !status) {
            return status;
        }
    }
    for (const auto& [function, program] : library.probes) {
        const bool steps = program.starts_with(kStepPrograms);
        if (steps) {
            process.steps.emplace_back(function, program);
        }
        if (auto status = kernel_.watch(pid, process.local_pid, function, program, library.cookie,
                                        steps ? ProbeGroup::steps : ProbeGroup::lasting);
            !status) {
            return status;
        }
    }
    return Done{};
}

void LibraryFollower::watch(std::uint32_t pid, Process& process) {
    for (const Library& library : finder_.find(process.local_pid, process.seen)) {
        const Status status = attach(pid, process, library);
        if (!status && status.error().errno_value == ESRCH) {
            return;  // it has ended meanwhile: nothing is wrong with it
        }
        Json fact{{"fact", library.kind == LibraryKind::tls ? "tls" : "sqlite"}, {"pid", pid}, {"library", library.path}};
        if (library.kind == LibraryKind::tls) {
            fact["named"] = library.cookie != 0;
        }
        if (!status) {
            fact["error"] = status.error().what;
        }
        tell_(std::move(fact));
    }
}

}  // namespace timesink::live
