#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// Reading /proc. Processes come and go while it is read: what is gone reads as empty, never as an error.
namespace timesink::live {

/// The whole file; empty when it cannot be read.
std::string read_text(const std::string& path);
/// Where a symbolic link leads; empty when it cannot be read.
std::string read_link(const std::string& path);
/// Split at `separator`; empty pieces are left out.
std::vector<std::string_view> split(std::string_view text, char separator);
/// "/proc/PID/NAME".
std::string proc_path(std::uint32_t pid, std::string_view name);
/// All processes in /proc, ascending.
std::vector<std::uint32_t> list_processes();

/// What /proc/PID/stat says (proc(5)).
struct ProcessStat {
    std::string comm;
    char state = 0;
    std::uint32_t parent = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t cpu_ticks = 0;  ///< user + system
    std::uint32_t threads = 0;
    std::uint64_t start_ticks = 0;  ///< since boot
    std::uint64_t rss_pages = 0;
};
/// Error: no such process, or not readable.
Result<ProcessStat> read_process_stat(std::uint32_t pid);

/// One socket of /proc/PID/net/{tcp,tcp6,unix} that listens.
struct ListeningSocket {
    std::uint64_t inode = 0;
    std::string address;
    std::uint16_t port = 0;  ///< 0: unix
};
/// All listening sockets of the network namespace that the process is in.
std::vector<ListeningSocket> listening_sockets(std::uint32_t pid);
/// Inode numbers of the sockets that a process holds; `readable` false when its descriptors may not be looked at.
struct HeldSockets {
    std::vector<std::uint64_t> inodes;
    bool readable = true;
};
HeldSockets held_sockets(std::uint32_t pid);

}  // namespace timesink::live
