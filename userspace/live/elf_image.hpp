#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::live {

/// A mapped ELF file, read only as far as telling a language runtime needs. Damaged files read as having nothing.
class ElfImage {
public:
    /// Empty: not there, not readable, not ELF.
    static std::optional<ElfImage> open(const std::string& path);
    ElfImage(ElfImage&&) noexcept;
    ElfImage& operator=(ElfImage&&) noexcept;
    ~ElfImage();

    /// The first of `names`, in their order, that a symbol table defines; empty: none. dynsym and symtab.
    [[nodiscard]] std::string_view first_symbol(std::span<const std::string_view> names) const;
    /// What stands in the file where a data symbol lies, at most its size; empty: no such symbol, or not in the file.
    [[nodiscard]] std::span<const std::byte> symbol_bytes(std::string_view name) const;
    [[nodiscard]] std::span<const std::byte> section(std::string_view name) const;
    /// The whole file, valid while this lives.
    [[nodiscard]] std::span<const std::byte> bytes() const;
    /// Link-time addresses of what the symbol tables define, in the order of `names`; 0: not defined.
    [[nodiscard]] std::vector<std::uint64_t> addresses(std::span<const std::string_view> names) const;
    /// The link-time address of a byte of the file; empty: it is not loaded.
    [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;

private:
    struct State;
    explicit ElfImage(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace timesink::live
