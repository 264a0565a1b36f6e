#pragma once

#include <cstdint>

namespace timesink::attribute {

/// What a thread that blocks in a system call waits for, as far as the call's number tells.
enum class WaitKind : std::uint8_t {
    none,    ///< not in a call: user code, so a page fault
    socket,  ///< a call on one descriptor that may be a socket
    poll,    ///< any of several descriptors, or a time-out
    futex,
    sleep,
    file,  ///< disk
    lock,  ///< file locks
    other,
};

/// `syscall`: the number on x86-64 (ts_off_cpu.syscall); -1: none.
WaitKind wait_kind(std::int16_t syscall);
/// epoll, by which event loops wait for whatever comes. Drivers that wait for one reply use poll, which is WaitKind::poll, too.
bool waits_in_epoll(std::int16_t syscall);

}  // namespace timesink::attribute
