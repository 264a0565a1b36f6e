#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "runtime/cpython.hpp"

namespace timesink::runtime {

/// A process drawn by hand: words at addresses, all others unreadable.
class Drawn : public Memory {
public:
    void word(std::uint64_t address, std::uint64_t value) {
        for (std::uint64_t i = 0; i < 8; i++) {
            bytes_[address + i] = static_cast<std::byte>(value >> 8 * i);
        }
    }
    void text(std::uint64_t address, std::string_view value) {
        for (std::size_t i = 0; i < value.size(); i++) {
            bytes_[address + i] = static_cast<std::byte>(value[i]);
        }
    }
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) const override {
        for (std::byte& byte : to) {
            const auto found = bytes_.find(address++);
            if (found == bytes_.end()) {
                return false;
            }
            byte = found->second;
        }
        return true;
    }

private:
    std::map<std::uint64_t, std::byte> bytes_;
};

}  // namespace timesink::runtime
