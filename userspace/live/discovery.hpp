#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace timesink::live {

/// What language runtime a process runs, told from what is mapped into it: symbols and ELF notes and library names; the
/// executable is never run.
struct Runtime {
    std::string name;     ///< "python", "node", "go", "java", "ruby", "php", "dotnet", "erlang", "native"; empty: cannot be read
    std::string version;  ///< empty where it is not cheaply known
    bool by_file_name = false;  ///< a guess from the executable's name, for want of anything better
};

Runtime detect_runtime(std::uint32_t pid);

/// A listening TCP or unix stream socket and a process that holds it.
struct Listener {
    std::uint32_t pid = 0;
    std::uint32_t parent = 0;
    std::string comm;
    std::string address;     ///< "127.0.0.1", "::", a unix path or "@name"
    std::uint16_t port = 0;  ///< 0 for unix
    Runtime runtime;
};

/// All listening sockets of all network namespaces that processes in /proc hold, one entry for each process and socket, sorted by
/// port, address, pid. Without root only one's own processes can be read; `unreadable` counts the others.
struct Discovery {
    std::vector<Listener> listeners;
    std::size_t unreadable = 0;
};
Result<Discovery> discover_listeners();

}  // namespace timesink::live
