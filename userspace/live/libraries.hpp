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

/// Libraries whose functions are probed wherever a process has them: as a shared library, or as a part of a program or a module.
enum class LibraryKind : std::uint8_t {
    tls,  ///< OpenSSL
    sqlite,
};
inline constexpr std::size_t kLibraryKinds = 2;

/// A library as a process has mapped it.
struct Library {
    LibraryKind kind{};
    std::string path;          ///< as the process sees it
    std::uint64_t cookie = 0;  ///< tls: see TS_TLS_RANDOM_KNOWN; 0: none
    /// Functions, and the programs of bpf/ that go there, in the order in which they are to be attached.
    std::vector<std::pair<MappedFunction, std::string>> probes;
};

/// Looks through what a process maps for the functions of such libraries, by symbols, whatever the file is called. Each file is
/// read once, whoever maps it. Owned by the follower.
class LibraryFinder {
public:
    /// What is executable and was not in `seen`, which is added to: files by device and inode.
    std::vector<Library> find(std::uint32_t local_pid, std::set<std::string>& seen);

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
