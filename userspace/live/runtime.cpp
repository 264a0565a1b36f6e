#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "live/discovery.hpp"
#include "live/elf_image.hpp"
#include "live/process_table.hpp"

namespace timesink::live {

namespace {

struct Sign {
    std::string_view symbol;
    std::string_view runtime;
};

/// A symbol that the runtime's own code defines wherever it is linked. Most telling first: a server that embeds an interpreter is
/// known by it.
constexpr std::array kSigns{
    Sign{"_ZN4node5StartEiPPc", "node"},  Sign{"_PyRuntime", "python"}, Sign{"Py_GetVersion", "python"},
    Sign{"JNI_CreateJavaVM", "java"},     Sign{"ruby_init", "ruby"},    Sign{"php_module_startup", "php"},
    Sign{"coreclr_initialize", "dotnet"}, Sign{"erl_start", "erlang"},
};

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The digits and dots at the begin of a text.
std::string leading_version(std::string_view text) {
    const auto end = std::find_if(text.begin(), text.end(), [](char c) { return (c < '0' || c > '9') && c != '.'; });
    return {text.begin(), end};
}

std::string version_after(std::string_view text, std::string_view mark) {
    const auto at = text.find(mark);
    return at == std::string_view::npos ? std::string() : leading_version(text.substr(at + mark.size()));
}

/// Since 1.18 the header of debug/buildinfo is followed by the version as a length and its bytes.
std::string go_version(std::span<const std::byte> info) {
    constexpr std::string_view kMagic = "\xff Go buildinf:";
    constexpr std::size_t kInline = 32;
    if (info.size() <= kInline || !as_text(info).starts_with(kMagic) || (info[15] & std::byte{2}) == std::byte{0}) {
        return {};
    }
    const auto length = static_cast<std::size_t>(info[kInline]);
    const auto text = as_text(info).substr(kInline + 1);
    return length < 0x80 && length <= text.size() && text.starts_with("go") ? std::string(text.substr(2, length - 2))
                                                                            : std::string();
}

/// Py_Version (3.11 and newer) holds PY_VERSION_HEX; before, the paths of what is mapped tell major and minor.
std::string python_version(const ElfImage& image, std::string_view maps) {
    const auto bytes = image.symbol_bytes("Py_Version");
    if (std::uint32_t hex = 0; bytes.size() >= sizeof(hex)) {
        std::memcpy(&hex, bytes.data(), sizeof(hex));
        return std::to_string(hex >> 24) + "." + std::to_string(hex >> 16 & 0xff) + "." + std::to_string(hex >> 8 & 0xff);
    }
    for (const std::string_view mark : {"libpython", "/lib/python", "/bin/python"}) {
        if (auto version = version_after(maps, mark); version.size() > 1) {
            while (version.ends_with('.')) {
                version.pop_back();
            }
            return version;
        }
    }
    return {};
}

std::string java_version(const std::string& library) {
    const auto home = library.rfind("/lib/");
    const std::string release = home == std::string::npos ? std::string() : read_text(library.substr(0, home) + "/release");
    return version_after(release, "JAVA_VERSION=\"");
}

Runtime examine(const std::string& path, const std::string& maps) {
    Runtime runtime;
    const auto image = ElfImage::open(path);
    if (!image) {
        return runtime;
    }
    if (const auto info = image->section(".go.buildinfo"); !info.empty()) {
        return {.name = "go", .version = go_version(info)};
    }
    std::array<std::string_view, kSigns.size()> symbols;
    std::transform(kSigns.begin(), kSigns.end(), symbols.begin(), [](const Sign& sign) { return sign.symbol; });
    const auto found = image->first_symbol(symbols);
    for (const auto& sign : kSigns) {
        if (sign.symbol == found) {
            runtime.name = sign.runtime;
        }
    }
    if (runtime.name == "python") {
        runtime.version = python_version(*image, maps);
    } else if (runtime.name == "node") {
        // process.release.sourceUrl of an official build
        runtime.version = version_after(as_text(image->section(".rodata")), "nodejs.org/download/release/v");
    } else if (runtime.name == "java") {
        runtime.version = java_version(path);
    } else if (runtime.name == "ruby") {
        runtime.version = leading_version(as_text(image->symbol_bytes("ruby_version")));
    }
    return runtime;
}

/// Reading the symbols of one file takes milliseconds, and workers of one server map the same ones.
Runtime examine_cached(const std::string& path, const std::string& maps) {
    using FileId = std::array<std::uint64_t, 3>;
    static std::map<FileId, Runtime> seen;
    constexpr std::size_t kMost = 4096;
    struct stat file {};
    if (stat(path.c_str(), &file) != 0) {
        return {};
    }
    const FileId id{file.st_dev, file.st_ino, static_cast<std::uint64_t>(file.st_mtim.tv_sec)};
    if (const auto found = seen.find(id); found != seen.end()) {
        return found->second;
    }
    if (seen.size() >= kMost) {
        seen.clear();
    }
    return seen.emplace(id, examine(path, maps)).first->second;
}

Runtime guess_by_name(std::string_view executable) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames{{{"python", "python"},
                                                                                   {"node", "node"},
                                                                                   {"java", "java"},
                                                                                   {"ruby", "ruby"},
                                                                                   {"php", "php"},
                                                                                   {"dotnet", "dotnet"},
                                                                                   {"beam", "erlang"},
                                                                                   {"bun", "bun"}}};
    const auto name = executable.substr(executable.rfind('/') + 1);
    for (const auto& [prefix, runtime] : kNames) {
        if (name.starts_with(prefix)) {
            return {.name = std::string(runtime), .version = {}, .by_file_name = true};
        }
    }
    return {.name = "native", .version = {}};
}

}  // namespace

Runtime detect_runtime(std::uint32_t pid) {
    const std::string executable = read_link(proc_path(pid, "exe"));
    if (executable.empty()) {
        return {};  // a kernel thread, gone, or not ours to look at
    }
    const std::string maps = read_text(proc_path(pid, "maps"));
    if (auto runtime = examine_cached(proc_path(pid, "exe"), maps); !runtime.name.empty()) {
        return runtime;
    }
    // Below /proc/PID/root: the target may live in a container.
    const std::string root = proc_path(pid, "root");
    std::string_view before;
    for (const auto line : split(maps, '\n')) {
        const auto path = line.find('/');
        const auto permissions = line.find(' ');
        if (path == std::string_view::npos || permissions + 4 > line.size() || line[permissions + 3] != 'x') {
            continue;
        }
        const auto file = line.substr(path);
        if (file == before) {
            continue;
        }
        before = file;
        if (auto runtime = examine_cached(root + std::string(file), maps); !runtime.name.empty()) {
            return runtime;
        }
    }
    return guess_by_name(executable);
}

}  // namespace timesink::live
