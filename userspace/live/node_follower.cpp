#include "live/node_follower.hpp"

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "live/elf_image.hpp"
#include "live/mappings.hpp"
#include "live/tries.hpp"

namespace timesink::live {

namespace {

struct Watched {
    std::string_view symbol;
    const char* program;
    const char* told;
};

/// src/env.h of Node.js; both are the same from 11 to 26.
constexpr std::array kWatched{
    Watched{"_ZN4node11Environment9RunTimersEP10uv_timer_s", "on_timers", "timers"},
    Watched{"_ZN4node11Environment18ToggleImmediateRefEb", "on_immediate", "immediates"},
};

using Functions = std::array<std::optional<MappedFunction>, kWatched.size()>;

/// In the program, or in libnode.
Functions functions_of(std::uint32_t local_pid) {
    std::array<std::string_view, kWatched.size()> names;
    for (std::size_t i = 0; i < names.size(); i++) {
        names[i] = kWatched[i].symbol;
    }
    Functions functions;
    std::set<std::string> seen;
    const auto mappings = mappings_of(local_pid);
    for (const Mapping& mapping : mappings) {
        if (!seen.insert(mapping.file).second) {
            continue;  // the first mapping of each file is its lowest
        }
        const auto image = ElfImage::open(path_of(local_pid, mapping));
        const auto linked = image ? image->address_of(mapping.offset) : std::nullopt;
        if (!linked) {
            continue;
        }
        const auto addresses = image->addresses(names);
        for (std::size_t i = 0; i < addresses.size(); i++) {
            if (addresses[i] != 0 && !functions[i]) {
                functions[i] = function_at(local_pid, mappings, addresses[i] - *linked + mapping.begin);
            }
        }
        if (functions.front()) {
            break;
        }
    }
    return functions;
}

}  // namespace

void NodeFollower::started(std::uint32_t pid, std::uint32_t local_pid) {
    processes_[pid] = Process{.local_pid = local_pid};
}

void NodeFollower::ended(std::uint32_t pid) {
    if (processes_.erase(pid) != 0) {
        kernel_.unfollow(pid);
    }
}

void NodeFollower::look(std::uint64_t now) {
    for (auto& [pid, process] : processes_) {
        if (!process.over && process.next_ns <= now) {
            process.tries++;
            process.next_ns = now + kPause;
            process.over = watch(pid, process);
        }
    }
}

/// True: nothing is left to be done.
bool NodeFollower::watch(std::uint32_t pid, const Process& process) {
    const Functions functions = functions_of(process.local_pid);
    if (!functions.front() && process.tries < kTriesInHaste) {
        return false;
    }
    Json fact{{"fact", "runtime"}, {"pid", pid}, {"runtime", "node"}, {"phases", Json::array()}};
    for (std::size_t i = 0; i < functions.size(); i++) {
        if (!functions[i]) {
            continue;
        }
        const Status status = kernel_.watch(pid, process.local_pid, *functions[i], kWatched[i].program);
        if (status) {
            fact["phases"].push_back(kWatched[i].told);
        } else if (status.error().errno_value == ESRCH) {
            return true;  // it has ended meanwhile: nothing is wrong with it
        } else {
            fact["error"] = status.error().what;
        }
    }
    tell_(std::move(fact));
    return true;
}

}  // namespace timesink::live
