#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "live/mappings.hpp"

namespace timesink::live {

/// OpenSSL as a process has mapped it: a library, or a part of a program.
struct TlsLibrary {
    std::string path;          ///< as the process sees it
    std::uint64_t cookie = 0;  ///< see TS_TLS_RANDOM_KNOWN; 0: connections are not told apart by it
    std::vector<std::pair<MappedFunction, std::string>>
        probes;  ///< and the program of bpf/ that goes there; returns before entries
};

/// Looks through what a process maps for OpenSSL's functions, by symbols, whatever the file is called. Each file is read once,
/// whoever maps it. Owned by the follower.
class TlsFinder {
public:
    /// What is executable and was not in `seen`, which is added to: files by device and inode.
    std::vector<TlsLibrary> find(std::uint32_t local_pid, std::set<std::string>& seen);

private:
    /// Of one file: link-time addresses of the functions probed, 0: not there.
    struct Symbols {
        std::vector<std::uint64_t> addresses;
        std::uint64_t cookie = 0;
    };
    const std::optional<Symbols>& symbols_of(const std::string& file, const std::string& path);

    std::map<std::string, std::optional<Symbols>> files_;  ///< by device and inode
};

}  // namespace timesink::live
