#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

namespace timesink::runtime {

/// A running process's memory. Owned by the caller.
class Memory {
public:
    virtual ~Memory() = default;
    /// False: not all of it can be read. `to` is undefined then.
    [[nodiscard]] virtual bool read(std::uint64_t address, std::span<std::byte> to) const = 0;
};

/// Another memory, of which each page is read once: for a search that follows thousands of pointers, of which each read for
/// itself would be a system call. What changes meanwhile is seen as it was: use a new one for each search. Not thread-safe.
class PagedMemory final : public Memory {
public:
    /// `behind` must outlive it.
    explicit PagedMemory(const Memory& behind) : behind_(behind) {}
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) const override;

private:
    static constexpr std::size_t kPage = 4096;  ///< bytes; the smallest page of any machine: readable as a whole or not at all
    static constexpr std::size_t kPagesMost = 4096;  ///< kept
    using Page = std::array<std::byte, kPage>;
    /// nullptr: it cannot be read.
    const Page* page(std::uint64_t number) const;

    const Memory& behind_;
    mutable std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;  ///< by address / kPage
};

}  // namespace timesink::runtime
