#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/memory.hpp"

namespace timesink::runtime {

/// Offsets in bytes, x86-64. How net/http's connection leads to a descriptor has not changed (bpf/golang.bpf.c).
struct GoLayout {
    std::uint32_t number;      ///< runtime.g: goid
    std::uint32_t thread;      ///< runtime.g: m
    std::uint32_t status;      ///< runtime.g: atomicstatus
    std::uint32_t start;       ///< runtime.g: startpc
    std::uint32_t current;     ///< runtime.m: curg
    std::uint32_t thread_id;   ///< runtime.m: procid
    std::uint32_t connection;  ///< net/http.persistConn: conn
};

/// Where crypto/tls has plaintext (bpf/tls_go.bpf.c). Addresses are the process's; 0: the program has no such thing, or its code
/// does not tell.
struct GoTls {
    bool there = false;          ///< the program has crypto/tls
    std::uint64_t read = 0;      ///< (*Conn).Read
    std::uint64_t copies = 0;    ///< in it, the call that moves what was decrypted
    bool by_reader = false;      ///< that is a call of (*bytes.Reader).Read, not of memmove
    std::uint64_t write = 0;     ///< (*Conn).writeRecordLocked
    std::uint64_t encrypts = 0;  ///< in it, the call of (*halfConn).encrypt
    [[nodiscard]] bool known() const { return read != 0 && copies != 0 && write != 0 && encrypts != 0; }
};

/// A process whose goroutines can be followed. Addresses are the process's; 0: the program has no such function.
struct Go {
    GoLayout layout{};
    std::int32_t slot = 0;           ///< of the current g, from the fs base of a thread
    std::uint32_t prepared = 0;      ///< runtime.g: to what `maker` is given a pointer
    std::uint64_t maker = 0;         ///< entered for every goroutine that is made, with a pointer into its g
    std::uint64_t http_request = 0;  ///< entered by the goroutine that asks for a request, with the connection that will carry it
    std::uint64_t http_writer = 0;   ///< entered by the goroutine that will write what others ask for
    GoTls tls;
};

enum class GoState : std::uint8_t {
    absent,  ///< not a Go program
    followed,
    starting,     ///< it is being loaded: ask again
    unsupported,  ///< `reason` says why; asking again is of no use
};

struct GoExamination {
    GoState state = GoState::absent;
    std::string version;  ///< "1.26.8"; empty: not known
    std::string reason;
    Go found;  ///< when followed
};

/// From the bytes of the program's file and, for what the loader relocates, the process's memory. `bias`: address in the process
/// less the link-time address. Checked on the process itself once it makes calls: the kernel side believes no thread that the
/// runtime does not take for the one that it is.
GoExamination examine_go(std::span<const std::byte> file, std::uint64_t bias, const Memory& memory);

}  // namespace timesink::runtime
