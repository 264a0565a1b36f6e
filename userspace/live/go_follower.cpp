#include "live/go_follower.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "live/tries.hpp"

namespace timesink::live {

namespace {

/// Whoever makes goroutines that send does so within seconds, and what they send before their making is told is nobody's.
constexpr std::uint64_t kTrial = 10'000'000'000;
constexpr std::uint32_t kServedLeast = 200;  // reads: else there was nothing to be seen

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
            search(pid, process, now);
        }
        judge(pid, process, now);
    }
}

void GoFollower::judge(std::uint32_t pid, Process& process, std::uint64_t now) {
    if (process.stage != Stage::trying && process.stage != Stage::known) {
        return;
    }
    const auto seen = kernel_.followed_go(pid);
    if (seen && seen->strange >= TS_GO_STRANGE) {
        if (process.stage == Stage::known) {
            tell(pid, process, watch_births(pid, process));
        }
        process.stage = Stage::over;
    } else if (seen && process.stage == Stage::trying && now >= process.tried_until_ns && seen->served >= kServedLeast) {
        process.stage = Stage::known;
        tell(pid, process, forget_births(pid, process));
    }
}

void GoFollower::search(std::uint32_t pid, Process& process, std::uint64_t now) {
    process.go = find_go(process.local_pid);
    const GoProcess& go = process.go;
    if (go.state == runtime::GoState::starting && process.tries < kTriesInHaste) {
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
        process.stage = Stage::trying;
        process.tried_until_ns = now + kTrial;
        if (go.http_request) {
            status = kernel_.watch(pid, process.local_pid, *go.http_request, "on_http_request_made");
        }
    }
    if (status) {
        status = watch_births(pid, process);
    }
    tell(pid, process, status);
    if (go.has_tls) {
        tell_tls(pid, watch_tls(pid, process));
    }
}

/// What tells the connection goes first: bytes of none are dropped.
Status GoFollower::watch_tls(std::uint32_t pid, const Process& process) {
    const GoProcess& go = process.go;
    if (!go.tls_read || !go.tls_copies || !go.tls_write || !go.tls_encrypts) {
        return Error{"where crypto/tls has what it encrypts is not to be found"};
    }
    const std::pair<const MappedFunction*, const char*> places[] = {
        {&*go.tls_read, "on_go_tls_read"},
        {&*go.tls_write, "on_go_tls_write"},
        {&*go.tls_copies, go.tls_by_reader ? "on_go_tls_reader" : "on_go_tls_copied"},
        {&*go.tls_encrypts, "on_go_tls_encrypted"},
    };
    for (const auto& [function, program] : places) {
        if (auto status = kernel_.watch(pid, process.local_pid, *function, program); !status) {
            return status;
        }
    }
    return Done{};
}

void GoFollower::tell_tls(std::uint32_t pid, const Status& status) const {
    if (!status && status.error().errno_value == ESRCH) {
        return;
    }
    Json fact{{"fact", "tls"}, {"pid", pid}, {"library", "crypto/tls"}, {"named", true}};
    if (!status) {
        fact["named"] = false;
        fact["error"] = status.error().what;
    }
    tell_(std::move(fact));
}

/// The writers of net/http's client first: they are made by whoever first needs a connection, and write for others.
Status GoFollower::watch_births(std::uint32_t pid, Process& process) {
    if (!process.go.maker) {
        return Error{"the function that is entered for each new goroutine is not to be found"};
    }
    constexpr auto kGroup = ProbeGroup::births;
    if (process.go.http_writer) {
        if (auto status = kernel_.watch(pid, process.local_pid, *process.go.http_writer, "on_http_writer_made", 0, kGroup);
            !status) {
            return status;
        }
    }
    // Before the first is told: a goroutine must not make calls under its number before its birth has been asked for.
    if (auto status = tell_births(pid, process, true); !status) {
        return status;
    }
    auto status = kernel_.watch(pid, process.local_pid, *process.go.maker, "on_goroutine_made", 0, kGroup);
    process.births = status.ok();
    return status;
}

Status GoFollower::forget_births(std::uint32_t pid, Process& process) {
    process.births = false;
    kernel_.unwatch(pid, ProbeGroup::births);
    return tell_births(pid, process, false);
}

/// What the kernel side has counted meanwhile stays, but for what it counts at this very moment.
Status GoFollower::tell_births(std::uint32_t pid, Process& process, bool told) {
    process.go.config = kernel_.followed_go(pid).value_or(process.go.config);
    process.go.config.births = told ? 1 : 0;
    return kernel_.follow(pid, process.go.config);
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
