#pragma once

#include <cstdint>
#include <type_traits>

namespace timesink {

/// Typed ids: never compared across kinds, never used as numbers. Zero means "none" in all of them.
enum class ProcessId : std::uint32_t {};   ///< thread group, initial pid namespace
enum class ThreadId : std::uint32_t {};    ///< initial pid namespace
enum class SocketId : std::uint64_t {};    ///< given by the kernel side, unique within a run
enum class ContextId : std::uint64_t {};   ///< of a language runtime, unique within a process while it exists
enum class UnitId : std::uint64_t {};      ///< numbered in the order in which units began
enum class ExchangeId : std::uint64_t {};  ///< numbered in the order in which exchanges began

template <typename Id>
constexpr auto number(Id id) {
    return static_cast<std::underlying_type_t<Id>>(id);
}

}  // namespace timesink
