#include "live/go_follower.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

namespace timesink::live {

namespace {

constexpr std::uint64_t kPause = 200'000'000;
constexpr int kTriesMost = 25;  // a program is loaded within some milliseconds

}  // namespace

void GoFollower::started(std::uint32_t pid, std::uint32_t local_pid) {
    processes_[pid] = Process{.local_pid = local_pid, .go = {}};
}

void GoFollower::ended(std::uint32_t pid) {
    if (processes_.erase(pid) != 0) {
        kernel_.unfollow(pid);
    }
}

void GoFollower::look(std::uint64_t now) {
    for (auto& [pid, process] : processes_) {
        if (process.stage == Stage::searching && process.next_ns <= now) {
            process.tries++;
            process.next_ns = now + kPause;
            search(pid, process);
        }
        if (process.stage == Stage::known) {
            const auto seen = kernel_.followed_go(pid);
            if (seen && seen->strange >= TS_GO_STRANGE) {
                const auto status = watch_births(pid, process);
                process.stage = Stage::over;
                tell(pid, process, status);
            }
        }
    }
}

void GoFollower::search(std::uint32_t pid, Process& process) {
    process.go = find_go(process.local_pid);
    const GoProcess& go = process.go;
    if (go.state == runtime::GoState::starting && process.tries < kTriesMost) {
        return;
    }
    process.stage = Stage::over;
    if (go.state == runtime::GoState::absent) {
        return;
    }
    if (go.state != runtime::GoState::followed) {
        tell(pid, process, Error{go.reason.empty() ? "its code is not to be found in its memory" : go.reason});
        return;
    }
    auto status = kernel_.follow(pid, go.config);
    if (status) {
        process.stage = Stage::known;
        if (go.http_request) {
            status = kernel_.watch(pid, process.local_pid, *go.http_request, "on_http_request_made");
        }
    }
    tell(pid, process, status);
}

/// The writers of net/http's client first: they are made by whoever first needs a connection, and write for others.
Status GoFollower::watch_births(std::uint32_t pid, Process& process) {
    if (!process.go.maker) {
        return Error{"the function that is entered for each new goroutine is not to be found"};
    }
    if (process.go.http_writer) {
        if (auto status = kernel_.watch(pid, process.local_pid, *process.go.http_writer, "on_http_writer_made"); !status) {
            return status;
        }
    }
    // Before the first is told: a goroutine must not make calls under its number before its birth has been asked for.
    process.go.config.births = 1;
    process.go.config.strange = TS_GO_STRANGE;
    if (auto status = kernel_.follow(pid, process.go.config); !status) {
        return status;
    }
    auto status = kernel_.watch(pid, process.local_pid, *process.go.maker, "on_goroutine_made");
    process.births = status.ok();
    return status;
}

void GoFollower::tell(std::uint32_t pid, const Process& process, const Status& status) const {
    if (!status && status.error().errno_value == ESRCH) {
        return;  // it has ended meanwhile: nothing is wrong with it
    }
    Json fact{{"fact", "runtime"}, {"pid", pid}, {"runtime", "go"}};
    if (!process.go.version.empty()) {
        fact["version"] = process.go.version;
    }
    fact["contexts"] = process.go.state == runtime::GoState::followed;
    fact["lineage"] = process.births ? "all" : "none";
    if (!status) {
        fact["error"] = status.error().what;
    }
    tell_(std::move(fact));
}

}  // namespace timesink::live
