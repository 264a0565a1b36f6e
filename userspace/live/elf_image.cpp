#include "live/elf_image.hpp"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace timesink::live {

struct ElfImage::State {
    int fd = -1;
    Elf* elf = nullptr;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (elf != nullptr) {
            elf_end(elf);
        }
        if (fd >= 0) {
            close(fd);
        }
    }

    /// Calls visit(name, symbol) for each defined symbol until it returns false.
    template <typename Visit>
    void symbols(Visit visit) const {
        Elf_Scn* section = nullptr;
        while ((section = elf_nextscn(elf, section)) != nullptr) {
            GElf_Shdr header;
            if (gelf_getshdr(section, &header) == nullptr || (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB) ||
                header.sh_entsize == 0) {
                continue;
            }
            Elf_Data* data = elf_getdata(section, nullptr);
            if (data == nullptr) {
                continue;
            }
            const auto count = static_cast<int>(data->d_size / header.sh_entsize);
            for (int i = 0; i < count; i++) {
                GElf_Sym symbol;
                if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) {
                    continue;
                }
                const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
                if (name != nullptr && !visit(std::string_view(name), symbol)) {
                    return;
                }
            }
        }
    }

    [[nodiscard]] std::span<const std::byte> file_bytes(std::uint64_t offset, std::uint64_t size) const {
        std::size_t length = 0;
        const char* file = elf_rawfile(elf, &length);
        if (file == nullptr || offset > length || size > length - offset) {
            return {};
        }
        return {reinterpret_cast<const std::byte*>(file) + offset, size};
    }
};

ElfImage::ElfImage(std::unique_ptr<State> state) : state_(std::move(state)) {}
ElfImage::ElfImage(ElfImage&&) noexcept = default;
ElfImage& ElfImage::operator=(ElfImage&&) noexcept = default;
ElfImage::~ElfImage() = default;

std::optional<ElfImage> ElfImage::open(const std::string& path) {
    auto state = std::make_unique<State>();
    elf_version(EV_CURRENT);
    state->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (state->fd < 0) {
        return std::nullopt;
    }
    state->elf = elf_begin(state->fd, ELF_C_READ_MMAP, nullptr);
    if (state->elf == nullptr || elf_kind(state->elf) != ELF_K_ELF) {
        return std::nullopt;
    }
    return ElfImage(std::move(state));
}

std::string_view ElfImage::first_symbol(std::span<const std::string_view> names) const {
    std::size_t best = names.size();
    state_->symbols([&](std::string_view name, const GElf_Sym&) {
        const auto found = static_cast<std::size_t>(
            std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(best), name) - names.begin());
        best = std::min(best, found);
        return best != 0;
    });
    return best < names.size() ? names[best] : std::string_view{};
}

std::span<const std::byte> ElfImage::symbol_bytes(std::string_view name) const {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    state_->symbols([&](std::string_view candidate, const GElf_Sym& symbol) {
        if (candidate != name) {
            return true;
        }
        address = symbol.st_value;
        size = symbol.st_size;
        return false;
    });
    std::size_t count = 0;
    if (size == 0 || elf_getphdrnum(state_->elf, &count) != 0) {
        return {};
    }
    for (std::size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(state_->elf, static_cast<int>(i), &segment) != nullptr && segment.p_type == PT_LOAD &&
            address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz &&
            size <= segment.p_filesz - (address - segment.p_vaddr)) {
            return state_->file_bytes(segment.p_offset + (address - segment.p_vaddr), size);
        }
    }
    return {};
}

std::span<const std::byte> ElfImage::section(std::string_view name) const {
    std::size_t names = 0;
    if (elf_getshdrstrndx(state_->elf, &names) != 0) {
        return {};
    }
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(state_->elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
            continue;
        }
        const char* found = elf_strptr(state_->elf, names, header.sh_name);
        if (found != nullptr && name == found) {
            return state_->file_bytes(header.sh_offset, header.sh_size);
        }
    }
    return {};
}

std::span<const std::byte> ElfImage::bytes() const {
    std::size_t length = 0;
    const char* file = elf_rawfile(state_->elf, &length);
    return {reinterpret_cast<const std::byte*>(file), file == nullptr ? 0 : length};
}

std::vector<std::uint64_t> ElfImage::addresses(std::span<const std::string_view> names) const {
    std::vector<std::uint64_t> addresses(names.size());
    state_->symbols([&](std::string_view name, const GElf_Sym& symbol) {
        if (const auto found = std::find(names.begin(), names.end(), name); found != names.end()) {
            addresses[static_cast<std::size_t>(found - names.begin())] = symbol.st_value;
        }
        return true;
    });
    return addresses;
}

std::optional<std::uint64_t> ElfImage::address_of(std::uint64_t file_offset) const {
    constexpr std::uint64_t kPage = 4096;
    std::size_t count = 0;
    if (elf_getphdrnum(state_->elf, &count) != 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(state_->elf, static_cast<int>(i), &segment) == nullptr || segment.p_type != PT_LOAD) {
            continue;
        }
        // The loader maps whole pages: a segment begins where the page of its first byte does.
        const std::uint64_t before = segment.p_offset % kPage;
        const std::uint64_t begin = segment.p_offset - before;
        if (file_offset >= begin && file_offset - begin < segment.p_filesz + before) {
            return segment.p_vaddr - before + (file_offset - begin);
        }
    }
    return std::nullopt;
}

}  // namespace timesink::live
