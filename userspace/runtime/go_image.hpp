#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/memory.hpp"

namespace timesink::runtime {

/// The bytes of a 64-bit little-endian ELF file by link-time address. Only the program headers are used: sections and symbols may
/// have been stripped. Refers to the bytes, which the caller owns. Damaged files read as having less.
class LoadedFile {
public:
    struct Segment {
        std::uint64_t address = 0;
        std::span<const std::byte> bytes;  ///< in the file; what it has in memory beyond them is zero
        bool writable = false;
        bool executable = false;
    };

    /// Empty: not such a file.
    static std::optional<LoadedFile> read(std::span<const std::byte> file);

    [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
    /// Bytes of thread-local storage that the program itself has; 0: none.
    [[nodiscard]] std::uint64_t thread_local_bytes() const { return thread_local_bytes_; }
    /// From an address to the end of its segment's bytes; empty: not in the file.
    [[nodiscard]] std::span<const std::byte> from(std::uint64_t address) const;
    /// The address of what `from` gives, or a part of it; 0: not of this file.
    [[nodiscard]] std::uint64_t address_of(std::span<const std::byte> part) const;

private:
    std::vector<Segment> segments_;
    std::uint64_t thread_local_bytes_ = 0;
};

/// A number at a byte offset; empty: beyond the end.
template <typename Number>
std::optional<Number> number_at(std::span<const std::byte> bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(Number)) {
        return std::nullopt;
    }
    Number number{};
    std::memcpy(&number, bytes.data() + offset, sizeof(number));
    return number;
}

/// What the linker wrote into a Go program about it (cmd/internal: src/debug/buildinfo/buildinfo.go); stripping leaves it.
struct GoBuild {
    std::string version;  ///< "go1.26.8", "devel go1.27-…"; empty: it cannot be read
};
/// `bias`: address in the process less the link-time address; `memory`: for 1.17, which has pointers there. Empty: not a Go
/// program.
std::optional<GoBuild> find_go_build(const LoadedFile& file, std::uint64_t bias, const Memory& memory);

/// The table of functions that every Go program carries for its own tracebacks (pclntab), stripped or not. Layouts by
/// src/debug/gosym/pclntab.go and runtime/symtab.go of 1.17 to 1.26.
class GoFunctions {
public:
    /// Empty: no such table, or one of another layout.
    static std::optional<GoFunctions> find(const LoadedFile& file);

    /// Where functions begin, in the order of `names`: 0: not in the program. Since 1.18 from the begin of the program's text, in
    /// 1.17 link-time addresses.
    [[nodiscard]] std::vector<std::uint64_t> entries(std::span<const std::string_view> names) const;
    [[nodiscard]] std::uint64_t address() const { return address_; }
    [[nodiscard]] bool relative() const { return relative_; }

private:
    [[nodiscard]] bool parse(std::span<const std::byte> bytes);
    [[nodiscard]] std::string_view name(std::uint64_t offset) const;

    std::uint64_t address_ = 0;  // link-time
    std::uint64_t count_ = 0;
    bool relative_ = true;
    std::span<const std::byte> names_;
    std::span<const std::byte> functions_;
};

/// The begin of the program's text in the process: by the record (moduledata) that the linker writes for the runtime and that the
/// loader relocates, found by its first word, the address of the function table. 0: not (yet) to be found.
std::uint64_t find_go_text(const LoadedFile& file, const GoFunctions& functions, std::uint64_t bias, const Memory& memory);

/// Where g stands in a thread's local storage, from its fs base. Empty: not told by the code.
std::optional<std::int32_t> find_go_slot(const LoadedFile& file, std::span<const std::byte> code);

}  // namespace timesink::runtime
