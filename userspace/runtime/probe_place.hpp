#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// Where the code of a function, x86-64, takes a uprobe best. Elsewhere: at its entry.
///
/// A uprobe is a breakpoint. The instruction under it is then run by itself, which takes a second exception for the step, unless
/// the kernel can do what it does: push, call, jmp, jcc and the one-byte nop (arch/x86/kernel/uprobes.c: push_setup_xol_ops,
/// branch_setup_xol_ops, Linux 4.15 and later; earlier ones step over push as well). On a virtual machine whose host takes the
/// step's exception that is 0.6 us a hit rather than 9.5, measured. So a probe goes a few instructions into its function, to the
/// first that the kernel can do, if what it is to see is still where it was at the entry.
namespace timesink::runtime {

/// Which registers have arguments.
enum class Convention : std::uint8_t {
    system_v,  ///< psABI 3.2.3
    go,        ///< Go's ABIInternal
};

/// How far the code of a function is looked at, bytes: jumps back to its begin lie within.
inline constexpr std::size_t kCodeLooked = 4096;

/// Bytes from the entry; empty: there is none, and the entry is as good as any. `code` begins at the entry and may go on behind
/// the function's end. `returns`: the probe is for the return, whose address must be on top of the stack. Each call of the
/// function passes the place once, as its entry.
std::optional<std::size_t> cheap_place(std::span<const std::byte> code, Convention convention, bool returns);

/// What a function calls first, on the straight way from its entry.
struct Callee {
    std::int64_t offset = 0;      ///< of its entry from the caller's
    bool same_arguments = false;  ///< the caller's own, all in their registers, and nothing was decided on the way

    friend bool operator==(const Callee&, const Callee&) = default;
};
std::optional<Callee> first_callee(std::span<const std::byte> code);

/// Where a function of Go calls another one. `callee`: its entry, from the caller's. Empty: nowhere, at more places than one, or
/// the function's end is not to be told. Functions of Go end with the call for a larger stack and a jump back to their entry.
std::optional<std::size_t> only_call(std::span<const std::byte> code, std::int64_t callee);

}  // namespace timesink::runtime
