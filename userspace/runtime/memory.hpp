#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace timesink::runtime {

/// A running process's memory. Owned by the caller.
class Memory {
public:
    virtual ~Memory() = default;
    /// False: not all of it can be read. `to` is undefined then.
    [[nodiscard]] virtual bool read(std::uint64_t address, std::span<std::byte> to) const = 0;
};

}  // namespace timesink::runtime
