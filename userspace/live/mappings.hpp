#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/memory.hpp"
#include "runtime/probe_place.hpp"

/// The files that a process maps, and its memory. Changes nothing and stops nothing; what is gone reads as empty. All ids are
/// those of timesink's pid namespace.
namespace timesink::live {

/// A line of /proc/PID/maps (proc(5)) with a file behind it.
struct Mapping {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t offset = 0;
    std::string range;  ///< as in the names of /proc/PID/map_files
    std::string file;   ///< device and inode: the same file under whatever name
    std::string path;   ///< as the process sees it
};

/// A function of a mapped file, for a probe.
struct MappedFunction {
    std::string path;  ///< leads to the very file that is mapped, from wherever timesink runs
    std::uint64_t offset = 0;
    runtime::Convention convention = runtime::Convention::system_v;

    friend bool operator==(const MappedFunction&, const MappedFunction&) = default;
};

std::vector<Mapping> mappings_of(std::uint32_t pid);
/// How much is mapped to be executed (VmExe and VmLib of proc_pid_status(5)), without a walk over the mappings, which holds up
/// the process where it changes these: another sum, other libraries. nullopt: it has ended.
std::optional<std::uint64_t> executable_bytes(std::uint32_t pid);
/// By way of the mapping itself, for the file may have been replaced or deleted; without the capability for that
/// (CAP_CHECKPOINT_RESTORE, before 5.9 CAP_SYS_ADMIN) by its name below the process's own root.
std::string path_of(std::uint32_t pid, const Mapping& mapping);
/// Empty: no file is mapped there.
std::optional<MappedFunction> function_at(std::uint32_t pid, const std::vector<Mapping>& mappings, std::uint64_t address);
/// From its entry on, up to runtime::kCodeLooked bytes, which may reach behind its end. Empty: the file cannot be read.
std::vector<std::byte> code_of(const MappedFunction& function);

class ProcessMemory final : public runtime::Memory {
public:
    explicit ProcessMemory(std::uint32_t pid) : pid_(static_cast<pid_t>(pid)) {}
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) const override;

private:
    pid_t pid_;
};

}  // namespace timesink::live
