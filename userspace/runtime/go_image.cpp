#include "runtime/go_image.hpp"

#include <elf.h>

#include <algorithm>
#include <array>

namespace timesink::runtime {

namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<std::uint64_t> read_word(const Memory& memory, std::uint64_t address) {
    std::uint64_t word = 0;
    if (!memory.read(address, std::as_writable_bytes(std::span(&word, 1)))) {
        return std::nullopt;
    }
    return word;
}

/// Longer than any version that there is; what claims more is no version.
constexpr std::uint64_t kVersionMost = 256;

/// Since 1.18: behind the 32 bytes of the header stand the version and the modules, each as a length and its bytes.
std::string inline_version(std::span<const std::byte> after_header) {
    std::uint64_t length = 0;
    std::size_t at = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        const auto byte = number_at<std::uint8_t>(after_header, at++);
        if (!byte) {
            return {};
        }
        length |= std::uint64_t{*byte & 0x7fU} << shift;
        if ((*byte & 0x80U) == 0) {
            break;
        }
    }
    if (length > kVersionMost || length > after_header.size() - at) {
        return {};
    }
    return std::string(as_text(after_header.subspan(at, length)));
}

/// Before: in the header, a pointer to a string, which is a pointer and a length.
std::string pointed_version(std::uint64_t header, const Memory& memory) {
    constexpr std::uint64_t kPointer = 16;
    const auto string = read_word(memory, header + kPointer);
    const auto data = string ? read_word(memory, *string) : std::nullopt;
    const auto length = string ? read_word(memory, *string + sizeof(std::uint64_t)) : std::nullopt;
    if (!data || !length || *length > kVersionMost) {
        return {};
    }
    std::string version(*length, '\0');
    return memory.read(*data, std::as_writable_bytes(std::span(version))) ? version : std::string();
}

}  // namespace

std::optional<LoadedFile> LoadedFile::read(std::span<const std::byte> file) {
    const auto header = number_at<Elf64_Ehdr>(file, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64 || header->e_phentsize != sizeof(Elf64_Phdr)) {
        return std::nullopt;
    }
    LoadedFile loaded;
    for (std::uint64_t i = 0; i < header->e_phnum; i++) {
        if (header->e_phoff > file.size()) {
            break;
        }
        const auto segment = number_at<Elf64_Phdr>(file, header->e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment) {
            break;
        }
        if (segment->p_type == PT_TLS) {
            loaded.thread_local_bytes_ = segment->p_memsz;
        }
        if (segment->p_type != PT_LOAD || segment->p_offset > file.size() ||
            segment->p_filesz > file.size() - segment->p_offset || segment->p_vaddr > UINT64_MAX - segment->p_filesz) {
            continue;
        }
        loaded.segments_.push_back({segment->p_vaddr, file.subspan(segment->p_offset, segment->p_filesz),
                                    (segment->p_flags & PF_W) != 0, (segment->p_flags & PF_X) != 0});
    }
    return loaded;
}

std::span<const std::byte> LoadedFile::from(std::uint64_t address) const {
    for (const Segment& segment : segments_) {
        if (address >= segment.address && address - segment.address < segment.bytes.size()) {
            return segment.bytes.subspan(address - segment.address);
        }
    }
    return {};
}

std::uint64_t LoadedFile::address_of(std::span<const std::byte> part) const {
    for (const Segment& segment : segments_) {
        if (part.data() >= segment.bytes.data() && part.data() < segment.bytes.data() + segment.bytes.size()) {
            return segment.address + static_cast<std::uint64_t>(part.data() - segment.bytes.data());
        }
    }
    return 0;
}

std::optional<GoBuild> find_go_build(const LoadedFile& file, std::uint64_t bias, const Memory& memory) {
    constexpr std::string_view kMagic = "\xff Go buildinf:";
    constexpr std::uint64_t kAlignment = 16;
    constexpr std::uint64_t kPointerSize = 14;
    constexpr std::uint64_t kFlags = 15;
    constexpr std::uint64_t kHeader = 32;
    constexpr std::uint8_t kInline = 2;
    for (const LoadedFile::Segment& segment : file.segments()) {
        const std::string_view text = as_text(segment.bytes);
        for (auto at = segment.writable ? text.find(kMagic) : std::string_view::npos; at != std::string_view::npos;
             at = text.find(kMagic, at + 1)) {
            const auto header = segment.bytes.subspan(at);
            if ((segment.address + at) % kAlignment != 0 || header.size() < kHeader) {
                continue;
            }
            const auto flags = static_cast<std::uint8_t>(header[kFlags]);
            if ((flags & kInline) != 0) {
                return GoBuild{inline_version(header.subspan(kHeader))};
            }
            const bool readable = flags == 0 && static_cast<std::uint8_t>(header[kPointerSize]) == sizeof(std::uint64_t);
            return GoBuild{readable ? pointed_version(segment.address + at + bias, memory) : std::string()};
        }
    }
    return std::nullopt;
}

std::uint64_t find_go_text(const LoadedFile& file, const GoFunctions& functions, std::uint64_t bias, const Memory& memory) {
    // moduledata, in words: pcHeader 0, minpc 20, maxpc 21, text 22, etext 23; by the DWARF of 1.17 to 1.26.
    enum : std::size_t { lowest = 20, highest = 21, text = 22, text_end = 23, kWords = 24 };
    constexpr std::size_t kChunk = std::size_t{1} << 16;
    std::vector<std::uint64_t> words;
    for (const LoadedFile::Segment& segment : file.segments()) {
        const std::uint64_t begin = (segment.address + 7) / 8 * 8 + bias;
        const std::uint64_t end = segment.address + segment.bytes.size() + bias;
        for (std::uint64_t at = begin; segment.writable && at + kWords * 8 <= end; at += kChunk) {
            // The next chunk's begin is read as well, for a record that lies across.
            words.resize(std::min<std::uint64_t>(kChunk + kWords * 8, end - at) / 8);
            if (!memory.read(at, std::as_writable_bytes(std::span(words)))) {
                continue;
            }
            for (std::size_t i = 0; i + kWords <= words.size(); i++) {
                const std::uint64_t* record = &words[i];
                const auto code = file.from(record[text] - bias);
                if (record[0] == functions.address() + bias && record[lowest] >= record[text] &&
                    record[lowest] < record[highest] && record[highest] <= record[text_end] && !code.empty()) {
                    return record[text];
                }
            }
        }
    }
    return 0;
}

std::optional<std::int32_t> find_go_slot(const LoadedFile& file, std::span<const std::byte> code) {
    // A program without thread-local storage of C's has one variable there, and the block ends at the fs base (ELF TLS, variant
    // II).
    if (file.thread_local_bytes() <= sizeof(std::uint64_t)) {
        return -static_cast<std::int32_t>(sizeof(std::uint64_t));
    }
    // mov %fs:displacement, %register: prefix 64, REX.W (with or without R), 8b, register and "SIB follows", SIB "displacement
    // only".
    constexpr std::size_t kLooked = 64;
    for (std::size_t at = 0; at + 9 <= std::min(code.size(), kLooked); at++) {
        const auto byte = [&](std::size_t offset) { return static_cast<std::uint8_t>(code[at + offset]); };
        if (byte(0) == 0x64 && (byte(1) & 0xfbU) == 0x48 && byte(2) == 0x8b && (byte(3) & 0xc7U) == 0x04 && byte(4) == 0x25) {
            return number_at<std::int32_t>(code, at + 5);
        }
    }
    return std::nullopt;
}

}  // namespace timesink::runtime
