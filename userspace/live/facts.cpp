#include "live/facts.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>

#include "live/discovery.hpp"
#include "live/process_table.hpp"
#include "timesink/abi/events.h"

namespace timesink::live {

namespace {

std::uint64_t clock_now(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t ticks_to_ns(std::uint64_t ticks) {
    return ticks * (1'000'000'000ULL / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

std::uint64_t page_size() {
    return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string_view first_line(std::string_view text) {
    return text.substr(0, text.find('\n'));
}

/// The value behind "NAME:" in a file of such lines, its blanks taken off.
std::string field_of(std::string_view text, std::string_view name) {
    for (const auto line : split(text, '\n')) {
        if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':') {
            const auto begin = line.find_first_not_of(" \t", name.size() + 1);
            return begin == std::string_view::npos ? std::string() : std::string(line.substr(begin));
        }
    }
    return {};
}

/// The unified hierarchy's line ("0::/path") when it says something, else the longest path of the others.
std::string cgroup_of(std::uint32_t pid) {
    const std::string text = read_text(proc_path(pid, "cgroup"));
    std::string longest;
    for (const auto line : split(text, '\n')) {
        const auto path = line.find('/');
        if (path == std::string_view::npos) {
            continue;
        }
        if (line.starts_with("0::") && line.size() > path + 1) {
            return std::string(line.substr(path));
        }
        if (line.size() - path > longest.size()) {
            longest = line.substr(path);
        }
    }
    return longest;
}

/// Shortens the longest text or list, at any depth.
void shorten(Json& body) {
    Json* longest = nullptr;
    std::size_t length = 0;
    for (auto& [name, value] : body.items()) {
        const std::size_t size = value.is_string() ? value.get_ref<const std::string&>().size() : value.dump().size();
        if ((value.is_string() || value.is_array()) && size > length && name != "fact") {
            longest = &value;
            length = size;
        }
    }
    if (longest == nullptr) {
        body = Json{{"fact", body["fact"]}};
    } else if (longest->is_string()) {
        longest->get_ref<std::string&>().resize(length / 2);
    } else if (longest->size() > 1) {
        longest->erase(longest->begin() + static_cast<std::ptrdiff_t>(longest->size() / 2), longest->end());
    } else {
        *longest = Json::array();
    }
}

}  // namespace

std::uint64_t monotonic_now() {
    return clock_now(CLOCK_MONOTONIC);
}

Json host_fact() {
    utsname name{};
    uname(&name);
    const std::string processor = read_text("/proc/cpuinfo");
    Json fact{{"fact", "host"},
              {"kernel", name.release},
              {"machine", name.machine},
              {"cpus", sysconf(_SC_NPROCESSORS_ONLN)},
              {"memory_bytes", static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * page_size()},
              {"page_size", page_size()},
              {"hypervisor", processor.find(" hypervisor") != std::string::npos}};
    const auto before = clock_now(CLOCK_MONOTONIC);
    const auto real = clock_now(CLOCK_REALTIME);
    const auto after = clock_now(CLOCK_MONOTONIC);
    fact["realtime_offset_ns"] = real - (before + after) / 2;
    if (const std::string boot = read_text("/proc/sys/kernel/random/boot_id"); !boot.empty()) {
        fact["boot_id"] = first_line(boot);
    }
    return fact;
}

std::optional<Json> process_fact(std::uint32_t pid, std::uint32_t local_pid, std::uint32_t parent,
                                 const std::vector<std::uint32_t>& threads) {
    const auto stat = read_process_stat(local_pid);
    if (!stat) {
        return std::nullopt;
    }
    Json fact{{"fact", "process"}, {"pid", pid}, {"comm", stat->comm}};
    if (parent != 0) {
        fact["parent"] = parent;
    }
    fact["start_ns"] = ticks_to_ns(stat->start_ticks);
    if (const auto executable = read_link(proc_path(local_pid, "exe")); !executable.empty()) {
        fact["executable"] = executable;
    }
    Json line = Json::array();
    const std::string arguments = read_text(proc_path(local_pid, "cmdline"));
    for (const auto argument : split(arguments, '\0')) {
        line.push_back(argument);
    }
    if (!line.empty()) {
        fact["command_line"] = line;
    }
    if (const auto cgroup = cgroup_of(local_pid); !cgroup.empty()) {
        fact["cgroup"] = cgroup;
    }
    const std::string inner = field_of(read_text(proc_path(local_pid, "status")), "NSpid");
    if (const auto last = inner.find_last_of(" \t"); !inner.empty()) {
        fact["namespace_pid"] = std::strtoul(inner.c_str() + (last == std::string::npos ? 0 : last + 1), nullptr, 10);
    }
    if (const Runtime runtime = detect_runtime(local_pid); !runtime.name.empty()) {
        fact["runtime"] = runtime.name;
        if (!runtime.version.empty()) {
            fact["runtime_version"] = runtime.version;
        }
    }
    if (!threads.empty()) {
        fact["threads"] = threads;
    }
    return fact;
}

std::optional<Json> sample_fact(std::uint32_t pid, std::uint32_t local_pid) {
    const auto stat = read_process_stat(local_pid);
    if (!stat || stat->state == 'Z' || stat->state == 'X') {
        return std::nullopt;
    }
    return Json{{"fact", "sample"},
                {"pid", pid},
                {"rss_bytes", stat->rss_pages * page_size()},
                {"cpu_ns", ticks_to_ns(stat->cpu_ticks)},
                {"threads", stat->threads},
                {"minor_faults", stat->minor_faults},
                {"major_faults", stat->major_faults}};
}

Json host_sample_fact() {
    Json fact{{"fact", "host_sample"}};
    for (const std::string text = read_text("/proc/stat"); const auto line : split(text, '\n')) {
        const auto fields = split(line, ' ');
        const auto number = [&](std::size_t index) {
            return index < fields.size() ? std::strtoull(std::string(fields[index]).c_str(), nullptr, 10) : 0ULL;
        };
        if (fields[0] == "cpu") {
            // user nice system idle iowait irq softirq steal (proc(5)); user holds guest time already
            fact["user_ns"] = ticks_to_ns(number(1) + number(2));
            fact["system_ns"] = ticks_to_ns(number(3) + number(6) + number(7));
            fact["idle_ns"] = ticks_to_ns(number(4));
            fact["iowait_ns"] = ticks_to_ns(number(5));
            fact["steal_ns"] = ticks_to_ns(number(8));
        } else if (fields[0] == "procs_running") {
            fact["runnable"] = number(1);
        }
    }
    return fact;
}

OwnUse own_use() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto nanoseconds = [](const timeval& time) {
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(time.tv_usec) * 1000ULL;
    };
    const std::string text = read_text("/proc/self/statm");
    const auto pages = split(text, ' ');
    return {nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
            pages.size() > 1 ? std::strtoull(std::string(pages[1]).c_str(), nullptr, 10) * page_size() : 0};
}

std::vector<std::byte> fact_record(Json body, std::uint64_t time, std::uint32_t sequence) {
    constexpr std::size_t kMost = 0xffff - sizeof(ts_fact) - 8;
    // Command lines and names are bytes, not text: what is not UTF-8 is replaced.
    std::string json = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    while (json.size() > kMost) {
        shorten(body);
        json = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    const std::size_t size = (sizeof(ts_fact) + json.size() + 7) / 8 * 8;
    ts_fact record{};
    record.head.kind = TS_EVENT_FACT;
    record.head.size = static_cast<std::uint16_t>(size);
    record.head.cpu = TS_CPU_USERSPACE;
    record.head.sequence = sequence;
    record.head.time = time;
    record.json_bytes = static_cast<std::uint32_t>(json.size());
    std::vector<std::byte> bytes(size);
    std::memcpy(bytes.data(), &record, sizeof(record));
    std::memcpy(bytes.data() + sizeof(record), json.data(), json.size());
    return bytes;
}

}  // namespace timesink::live
