#include "live/selection.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>

#include "live/process_table.hpp"

namespace timesink::live {

namespace {

/// The first part that names a process is the one that the `target` fact gives.
using Selected = std::map<std::uint32_t, SelectedProcess>;

void add(Selected& selected, std::uint32_t pid, const std::string& by, const std::string& value) {
    if (pid != static_cast<std::uint32_t>(getpid())) {
        selected.emplace(pid, SelectedProcess{pid, by, value});
    }
}

Status select_pids(const Selection& selection, Selected& selected) {
    for (const auto pid : selection.pids) {
        auto stat = read_process_stat(pid);
        if (!stat) {
            return stat.error();
        }
        if (stat->state == 'Z' || stat->state == 'X') {
            return Error{"process " + std::to_string(pid) + " (" + stat->comm + ") has ended already", ESRCH};
        }
        const auto status = read_text(proc_path(pid, "status"));
        const auto group = status.find("\nTgid:\t");
        const auto leader = group == std::string::npos ? pid : static_cast<std::uint32_t>(std::stoul(status.substr(group + 7)));
        add(selected, leader, "pid", std::to_string(pid));
    }
    return Done{};
}

/// Sockets are looked up per network namespace, once each, for a port means another socket in every one of them.
Status select_ports(const Selection& selection, Selected& selected) {
    if (selection.ports.empty()) {
        return Done{};
    }
    const std::set<std::uint16_t> wanted(selection.ports.begin(), selection.ports.end());
    std::set<std::uint16_t> missing = wanted;
    std::map<std::string, std::map<std::uint64_t, std::uint16_t>> port_of_inode;  // by namespace
    bool hidden = false;
    for (const auto pid : list_processes()) {
        const std::string space = read_link(proc_path(pid, "ns/net"));
        auto [known, fresh] = port_of_inode.try_emplace(space);
        if (fresh) {
            for (const auto& socket : listening_sockets(pid)) {
                if (wanted.contains(socket.port)) {
                    known->second.emplace(socket.inode, socket.port);
                }
            }
        }
        if (known->second.empty()) {
            continue;
        }
        const HeldSockets held = held_sockets(pid);
        hidden = hidden || !held.readable;
        for (const auto inode : held.inodes) {
            if (const auto port = known->second.find(inode); port != known->second.end()) {
                missing.erase(port->second);
                add(selected, pid, "port", std::to_string(port->second));
            }
        }
    }
    if (!missing.empty()) {
        const std::string port = std::to_string(*missing.begin());
        return hidden ? Error{"port " + port + ": its process cannot be looked at", EACCES}
                      : Error{"port " + port + ": nothing listens on it", ENOENT};
    }
    return Done{};
}

Status select_comms(const Selection& selection, Selected& selected) {
    for (const auto& wanted : selection.comms) {
        bool found = false;
        for (const auto pid : list_processes()) {
            const auto stat = read_process_stat(pid);
            // A command name is cut to 15 characters by the kernel.
            if (stat && stat->state != 'Z' && stat->comm == wanted.substr(0, 15) && pid != static_cast<std::uint32_t>(getpid())) {
                add(selected, pid, "comm", wanted);
                found = true;
            }
        }
        if (!found) {
            return Error{"command name '" + wanted + "': no such process", ESRCH};
        }
    }
    return Done{};
}

/// Mount points of cgroup v1 hierarchies and of v2.
std::vector<std::string> cgroup_mounts() {
    std::vector<std::string> mounts;
    for (const std::string text = read_text("/proc/self/mounts"); const auto line : split(text, '\n')) {
        const auto fields = split(line, ' ');
        if (fields.size() > 2 && (fields[2] == "cgroup" || fields[2] == "cgroup2")) {
            mounts.emplace_back(fields[1]);
        }
    }
    return mounts;
}

void add_cgroup(const std::filesystem::path& folder, const std::string& value, Selected& selected) {
    const std::string text = read_text((folder / "cgroup.procs").string());
    for (const auto line : split(text, '\n')) {
        if (const auto pid = static_cast<std::uint32_t>(std::strtoul(std::string(line).c_str(), nullptr, 10))) {
            add(selected, pid, "cgroup", value);
        }
    }
}

Status select_cgroups(const Selection& selection, Selected& selected) {
    for (const auto& wanted : selection.cgroups) {
        std::vector<std::filesystem::path> folders;
        std::error_code ignored;
        if (std::filesystem::exists(std::filesystem::path(wanted) / "cgroup.procs", ignored)) {
            folders.emplace_back(wanted);
        }
        for (const auto& mount : folders.empty() ? cgroup_mounts() : std::vector<std::string>{}) {
            if (auto path = std::filesystem::path(mount) / wanted; std::filesystem::exists(path / "cgroup.procs", ignored)) {
                folders.push_back(std::move(path));
            }
        }
        if (folders.empty()) {
            return Error{"cgroup '" + wanted + "': no such group", ENOENT};
        }
        const auto before = selected.size();
        for (const auto& folder : folders) {
            add_cgroup(folder, wanted, selected);
            for (const auto& below : std::filesystem::recursive_directory_iterator(
                     folder, std::filesystem::directory_options::skip_permission_denied, ignored)) {
                if (below.is_directory(ignored)) {
                    add_cgroup(below.path(), wanted, selected);
                }
            }
        }
        if (selected.size() == before) {
            return Error{"cgroup '" + wanted + "': no process is in it", ESRCH};
        }
    }
    return Done{};
}

}  // namespace

Result<std::vector<SelectedProcess>> select_processes(const Selection& selection) {
    Selected selected;
    for (auto* part : {select_pids, select_ports, select_comms, select_cgroups}) {
        if (auto status = part(selection, selected); !status) {
            return status.error();
        }
    }
    if (selected.empty() && selection.command.empty()) {
        return Error{"nothing is selected: a process, a port, a command name, a cgroup or a command is needed", EINVAL};
    }
    std::vector<SelectedProcess> processes;
    for (auto& [pid, process] : selected) {
        processes.push_back(std::move(process));
    }
    return processes;
}

}  // namespace timesink::live
