#include "live/process_table.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/pace.hpp"

namespace timesink::live {

namespace {

struct DirectoryCloser {
    void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

template <typename Number>
Number to_number(std::string_view text, int base = 10) {
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number, base);
    return number;
}

/// "0100007F:1F90": the address as 32-bit words in host order, hexadecimal (net/ipv4/tcp_ipv4.c, get_tcp4_sock).
ListeningSocket parse_inet(std::string_view local, std::uint64_t inode) {
    ListeningSocket socket{.inode = inode, .address = {}, .port = 0};
    const auto colon = local.find(':');
    if (colon == std::string_view::npos) {
        return socket;
    }
    std::array<std::uint32_t, 4> words{};
    for (std::size_t i = 0; i < 4 && (i + 1) * 8 <= colon; i++) {
        words[i] = to_number<std::uint32_t>(local.substr(i * 8, 8), 16);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(colon == 8 ? AF_INET : AF_INET6, words.data(), text.data(), text.size());
    socket.address = text.data();
    socket.port = to_number<std::uint16_t>(local.substr(colon + 1), 16);
    return socket;
}

void add_inet(const std::string& table, std::vector<ListeningSocket>& sockets) {
    constexpr std::string_view kListen = "0A";
    for (const auto line : split(table, '\n')) {
        const auto fields = split(line, ' ');
        if (fields.size() > 9 && fields[3] == kListen) {
            sockets.push_back(parse_inet(fields[1], to_number<std::uint64_t>(fields[9])));
        }
    }
}

/// Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 (__SO_ACCEPTCON): it listens.
void add_unix(const std::string& table, std::vector<ListeningSocket>& sockets) {
    constexpr std::uint32_t kAccepting = 0x10000;
    for (const auto line : split(table, '\n')) {
        const auto fields = split(line, ' ');
        if (fields.size() > 7 && (to_number<std::uint32_t>(fields[3], 16) & kAccepting) != 0) {
            sockets.push_back({to_number<std::uint64_t>(fields[6]), std::string(fields[7]), 0});
        }
    }
}

}  // namespace

std::string read_text(const std::string& path) {
    std::string text;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return text;
    }
    std::array<char, 8192> chunk{};
    ssize_t got = 0;
    while ((got = read(fd, chunk.data(), chunk.size())) > 0) {
        text.append(chunk.data(), static_cast<std::size_t>(got));
        Pace::look();  // 4 KiB of mappings take 50 µs
    }
    close(fd);
    return text;
}

std::string read_link(const std::string& path) {
    std::array<char, 4096> target{};
    const ssize_t length = readlink(path.c_str(), target.data(), target.size());
    return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        if (end > 0) {
            pieces.push_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return pieces;
}

std::string proc_path(std::uint32_t pid, std::string_view name) {
    return "/proc/" + std::to_string(pid) + "/" + std::string(name);
}

std::vector<std::uint32_t> list_processes() {
    std::vector<std::uint32_t> pids;
    const Directory proc(opendir("/proc"));
    while (const dirent* entry = proc ? readdir(proc.get()) : nullptr) {
        if (const auto pid = to_number<std::uint32_t>(entry->d_name)) {
            pids.push_back(pid);
        }
    }
    std::sort(pids.begin(), pids.end());
    return pids;
}

Result<ProcessStat> read_process_stat(std::uint32_t pid) {
    const std::string text = read_text(proc_path(pid, "stat"));
    const auto open = text.find('(');
    const auto close = text.rfind(')');  // the name may hold parentheses and spaces itself
    if (open == std::string::npos || close == std::string::npos) {
        return Error{"process " + std::to_string(pid) + ": no such process", ESRCH};
    }
    const auto fields = split(std::string_view(text).substr(close + 1), ' ');
    if (fields.size() < 22) {
        return Error{"/proc/" + std::to_string(pid) + "/stat: not understood", EINVAL};
    }
    ProcessStat stat;
    stat.comm = text.substr(open + 1, close - open - 1);
    stat.state = fields[0][0];
    stat.parent = to_number<std::uint32_t>(fields[1]);
    stat.minor_faults = to_number<std::uint64_t>(fields[7]);
    stat.major_faults = to_number<std::uint64_t>(fields[9]);
    stat.cpu_ticks = to_number<std::uint64_t>(fields[11]) + to_number<std::uint64_t>(fields[12]);
    stat.threads = to_number<std::uint32_t>(fields[17]);
    stat.start_ticks = to_number<std::uint64_t>(fields[19]);
    stat.rss_pages = to_number<std::uint64_t>(fields[21]);
    return stat;
}

std::vector<ListeningSocket> listening_sockets(std::uint32_t pid) {
    std::vector<ListeningSocket> sockets;
    add_inet(read_text(proc_path(pid, "net/tcp")), sockets);
    add_inet(read_text(proc_path(pid, "net/tcp6")), sockets);
    add_unix(read_text(proc_path(pid, "net/unix")), sockets);
    return sockets;
}

HeldSockets held_sockets(std::uint32_t pid) {
    HeldSockets held;
    const std::string folder = proc_path(pid, "fd");
    const Directory descriptors(opendir(folder.c_str()));
    if (!descriptors) {
        held.readable = errno != EACCES && errno != EPERM;
        return held;
    }
    constexpr std::string_view kSocket = "socket:[";
    while (const dirent* entry = readdir(descriptors.get())) {
        const std::string target = read_link(folder + "/" + entry->d_name);
        if (target.starts_with(kSocket)) {
            held.inodes.push_back(to_number<std::uint64_t>(std::string_view(target).substr(kSocket.size())));
        }
    }
    return held;
}

}  // namespace timesink::live
