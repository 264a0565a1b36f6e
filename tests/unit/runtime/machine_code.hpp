#pragma once

#include <cstddef>
#include <initializer_list>
#include <vector>

namespace timesink::runtime {

/// x86-64 code, byte by byte.
inline std::vector<std::byte> code(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (const int value : values) {
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

}  // namespace timesink::runtime
