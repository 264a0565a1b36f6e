#include "live/discovery.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>

#include "live/process_table.hpp"

namespace timesink::live {

Result<Discovery> discover_listeners() {
    Discovery discovery;
    std::map<std::string, std::map<std::uint64_t, ListeningSocket>> by_namespace;
    const auto pids = list_processes();
    if (pids.empty()) {
        return Error{"/proc cannot be read", ENOENT};
    }
    for (const auto pid : pids) {
        const HeldSockets held = held_sockets(pid);
        if (!held.readable) {
            discovery.unreadable++;
        }
        if (held.inodes.empty()) {
            continue;
        }
        auto [sockets, fresh] = by_namespace.try_emplace(read_link(proc_path(pid, "ns/net")));
        if (fresh) {
            for (auto& socket : listening_sockets(pid)) {
                sockets->second.emplace(socket.inode, socket);
            }
        }
        const auto stat = read_process_stat(pid);
        for (const auto inode : held.inodes) {
            const auto socket = sockets->second.find(inode);
            if (socket == sockets->second.end() || !stat) {
                continue;
            }
            discovery.listeners.push_back(
                {pid, stat->parent, stat->comm, socket->second.address, socket->second.port, detect_runtime(pid)});
        }
    }
    const auto key = [](const Listener& listener) { return std::tie(listener.port, listener.address, listener.pid); };
    std::sort(discovery.listeners.begin(), discovery.listeners.end(),
              [&](const Listener& a, const Listener& b) { return key(a) < key(b); });
    // One process may hold a socket under several descriptors.
    discovery.listeners.erase(std::unique(discovery.listeners.begin(), discovery.listeners.end(),
                                          [&](const Listener& a, const Listener& b) { return key(a) == key(b); }),
                              discovery.listeners.end());
    return discovery;
}

}  // namespace timesink::live
