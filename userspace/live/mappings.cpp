#include "live/mappings.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/pace.hpp"
#include "live/process_table.hpp"

namespace timesink::live {

std::vector<Mapping> mappings_of(std::uint32_t pid) {
    std::vector<Mapping> mappings;
    const std::string text = read_text(proc_path(pid, "maps"));
    for (const auto line : split(text, '\n')) {
        Pace::point();
        const auto fields = split(line, ' ');
        if (fields.size() < 6 || fields[4] == "0") {
            continue;
        }
        Mapping mapping;
        mapping.range = fields[0];
        char* rest = nullptr;
        mapping.begin = std::strtoull(mapping.range.c_str(), &rest, 16);
        mapping.end = *rest == '-' ? std::strtoull(rest + 1, nullptr, 16) : 0;
        mapping.offset = std::strtoull(std::string(fields[2]).c_str(), nullptr, 16);
        mapping.file = std::string(fields[3]) + " " + std::string(fields[4]);
        mapping.path = line.substr(line.find('/') != std::string_view::npos ? line.find('/') : line.size());
        mappings.push_back(std::move(mapping));
    }
    return mappings;
}

std::optional<std::uint64_t> executable_bytes(std::uint32_t pid) {
    std::optional<std::uint64_t> sum;
    const std::string text = read_text(proc_path(pid, "status"));
    for (const auto line : split(text, '\n')) {
        const auto at = line.find(':');
        if (at != std::string_view::npos && (line.substr(0, at) == "VmExe" || line.substr(0, at) == "VmLib")) {
            constexpr std::uint64_t kUnit = 1024;
            sum = sum.value_or(0) + std::strtoull(std::string(line.substr(at + 1)).c_str(), nullptr, 10) * kUnit;
        }
    }
    return sum;
}

std::string path_of(std::uint32_t pid, const Mapping& mapping) {
    const std::string exact = proc_path(pid, "map_files/" + mapping.range);
    return access(exact.c_str(), R_OK) == 0 ? exact : proc_path(pid, "root") + mapping.path;
}

std::optional<MappedFunction> function_at(std::uint32_t pid, const std::vector<Mapping>& mappings, std::uint64_t address) {
    const auto found = std::find_if(mappings.begin(), mappings.end(),
                                    [&](const Mapping& mapping) { return address >= mapping.begin && address < mapping.end; });
    if (found == mappings.end()) {
        return std::nullopt;
    }
    return MappedFunction{path_of(pid, *found), address - found->begin + found->offset};
}

std::vector<std::byte> code_of(const MappedFunction& function) {
    std::vector<std::byte> code(runtime::kCodeLooked);
    const int file = open(function.path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t size = file < 0 ? -1 : pread(file, code.data(), code.size(), static_cast<off_t>(function.offset));
    if (file >= 0) {
        close(file);
    }
    code.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return code;
}

bool ProcessMemory::read(std::uint64_t address, std::span<std::byte> to) const {
    Pace::point();
    const iovec local{to.data(), to.size()};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
    const iovec remote{reinterpret_cast<void*>(address), to.size()};
    return process_vm_readv(pid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(to.size());
}

}  // namespace timesink::live
