#include "runtime/cpython.hpp"

#include <algorithm>
#include <cstring>

#include "timesink/abi/attach.h"

namespace timesink::runtime {

namespace {

enum Symbol : std::size_t {
    runtime_state,
    version_hex,
    context_type,
    copy_current,
    since_3_10,
    since_3_9,
    since_3_8,
    dictionary_type
};

/// x86-64, from the debug information (DWARF) of the releases named, built without options that change structures.
struct Known {
    std::uint32_t minor;
    CPythonLayout layout;
};
constexpr std::array<Known, 5> kKnown{{
    {8, {40, 8, 0, 8, 16, 176, 240, 8, 56}},     // 3.8.18
    {9, {40, 8, 0, 8, 16, 176, 240, 8, 856}},    // 3.9.18
    {10, {40, 8, 0, 8, 16, 176, 240, 8, 856}},   // 3.10.13
    {11, {48, 16, 0, 8, 16, 152, 224, 8, 888}},  // 3.11.7
    {12, {48, 72, 0, 8, 16, 136, 208, 8, 944}},  // 3.12.1
}};

/// PyThreadState.context, of which _Py_DebugOffsets does not tell: 3.13.0 by DWARF; 3.14.6 by what PyContext_CopyCurrent reads.
constexpr std::uint32_t kContextSince313 = 208;

/// The kernel side reads from .thread_id to the end of .context at once (bpf/cpython.h).
constexpr bool read_at_once(const CPythonLayout& layout) {
    return layout.thread_id < layout.context && layout.context + 8 - layout.thread_id <= TS_PYTHON_STATE_MOST;
}
static_assert(std::all_of(kKnown.begin(), kKnown.end(), [](const Known& known) { return read_at_once(known.layout); }));

/// PyTypeObject, unchanged from 3.8 to 3.14 (Include/cpython/object.h): the methods' table, and what makes an instance.
constexpr std::uint64_t kTypeMethods = 232;
constexpr std::uint64_t kTypeNew = 312;
constexpr std::size_t kMethodBytes = 32;  // PyMethodDef
constexpr std::uint64_t kMethodFlags = 16;
constexpr std::size_t kMethodsMost = 64;

template <typename Number>
std::optional<Number> read_number(const Memory& memory, std::uint64_t address) {
    Number number{};
    if (address == 0 || !memory.read(address, std::as_writable_bytes(std::span(&number, 1)))) {
        return std::nullopt;
    }
    return number;
}

std::uint64_t read_pointer(const Memory& memory, std::uint64_t address) {
    return read_number<std::uint64_t>(memory, address).value_or(0);
}

CPythonExamination unsupported(std::string version, std::string reason) {
    return {CPythonState::unsupported, std::move(version), std::move(reason), {}};
}

struct Version {
    std::uint32_t minor = 0;
    std::string text;
    bool released = true;
};

/// PY_VERSION_HEX where the image has it; before 3.11, by the functions that each version added to the API.
std::optional<Version> version_of(const CPythonSymbols& symbols, const Memory& memory) {
    if (const auto hex = read_number<std::uint32_t>(memory, symbols[version_hex])) {
        constexpr std::uint32_t kReleaseCandidate = 0xc;
        const std::string text =
            std::to_string(*hex >> 24) + "." + std::to_string(*hex >> 16 & 0xff) + "." + std::to_string(*hex >> 8 & 0xff);
        return Version{*hex >> 24 == 3 ? *hex >> 16 & 0xff : 0, text, (*hex >> 4 & 0xf) >= kReleaseCandidate};
    }
    constexpr std::array<std::pair<Symbol, std::uint32_t>, 3> kAdded{{{since_3_10, 10}, {since_3_9, 9}, {since_3_8, 8}}};
    for (const auto& [symbol, minor] : kAdded) {
        if (symbols[symbol] != 0) {
            return Version{minor, "3." + std::to_string(minor)};
        }
    }
    return std::nullopt;
}

/// The begin of _PyRuntime since 3.13 (struct _Py_DebugOffsets in Include/internal/pycore_runtime.h, from 3.14 on in
/// pycore_debug_offsets.h). 3.14 added three members to the interpreter's part: what follows stands three words later.
struct DebugOffsets {
    static constexpr std::string_view kCookie = "xdebugpy";
    std::array<std::uint64_t, 32> words{};  // after the cookie

    [[nodiscard]] bool read(const Memory& memory, std::uint64_t address) {
        std::array<char, kCookie.size()> cookie{};
        return memory.read(address, std::as_writable_bytes(std::span(cookie))) &&
               std::string_view(cookie.data(), cookie.size()) == kCookie &&
               memory.read(address + cookie.size(), std::as_writable_bytes(std::span(words)));
    }
    [[nodiscard]] std::uint64_t version() const { return words[0]; }
    [[nodiscard]] bool free_threaded() const { return words[1] != 0; }
    [[nodiscard]] std::uint64_t interpreters_head() const { return words[4]; }
    [[nodiscard]] std::uint64_t threads_head() const { return words[8]; }
    [[nodiscard]] std::uint64_t modules(std::uint32_t minor) const { return words[minor == 13 ? 10 : 11]; }
    /// size, prev, next, interp, current_frame, thread_id
    [[nodiscard]] std::uint64_t thread_state(std::size_t member, std::uint32_t minor) const {
        return words[(minor == 13 ? 18 : 21) + member];
    }
};

/// In _PyRuntimeState, `main` has followed `head` in all versions (struct pyinterpreters).
constexpr std::uint32_t kMainAfterHead = 8;

std::optional<CPythonLayout> told_layout(const DebugOffsets& told, std::uint32_t minor) {
    constexpr std::uint64_t kPlausible = std::uint64_t{1} << 22U;
    const std::array<std::uint64_t, 7> members{
        told.interpreters_head(),    told.threads_head(),         told.thread_state(1, minor), told.thread_state(2, minor),
        told.thread_state(3, minor), told.thread_state(5, minor), told.modules(minor)};
    const bool plausible = std::all_of(members.begin(), members.end(),
                                       [](std::uint64_t offset) { return offset < kPlausible && offset % 8 == 0; }) &&
                           told.thread_state(0, minor) > kContextSince313;
    if (!plausible) {
        return std::nullopt;
    }
    const auto narrow = [&](std::size_t member) { return static_cast<std::uint32_t>(members[member]); };
    const CPythonLayout layout{narrow(0) + kMainAfterHead, narrow(1), narrow(2), narrow(3), narrow(4), narrow(5),
                               kContextSince313,           8,         narrow(6)};
    return read_at_once(layout) ? std::optional(layout) : std::nullopt;
}

/// Context.copy and Context.__new__, by the type's own tables: the functions are static, and no symbol need name them.
std::vector<std::uint64_t> makers_of(const Memory& memory, std::uint64_t type) {
    std::vector<std::uint64_t> makers;
    if (const std::uint64_t made_by = read_pointer(memory, type + kTypeNew); made_by != 0) {
        makers.push_back(made_by);
    }
    for (const CPythonMethod& method : methods_of(memory, type, {"copy"})) {
        makers.push_back(method.function);
    }
    return makers;
}

/// The list of thread states must be one: each of this interpreter, each the next one's previous.
bool list_is_sound(const CPython& python, const Memory& memory) {
    constexpr int kThreadsMost = 4096;
    const CPythonLayout& layout = python.layout;
    std::uint64_t previous = 0;
    std::uint64_t state = read_pointer(memory, python.interpreter + layout.threads_head);
    for (int i = 0; state != 0 && i < kThreadsMost; i++) {
        const std::uint64_t context = read_pointer(memory, state + layout.context);
        if (read_pointer(memory, state + layout.interpreter) != python.interpreter ||
            read_pointer(memory, state + layout.previous) != previous ||
            (context != 0 && read_pointer(memory, context + layout.object_type) != python.context_type)) {
            return false;
        }
        previous = state;
        state = read_pointer(memory, state + layout.next);
    }
    return previous != 0;
}

CPythonExamination follow(const CPythonSymbols& symbols, const CPythonLayout& layout, std::uint32_t minor, std::string version,
                          const Memory& memory) {
    CPythonExamination examination;
    examination.version = std::move(version);
    CPython& found = examination.found;
    found.layout = layout;
    found.context_type = symbols[context_type];
    found.dictionary_type = symbols[dictionary_type];
    found.minor = minor;
    found.interpreter = read_pointer(memory, symbols[runtime_state] + layout.main_interpreter);
    if (found.interpreter == 0 || read_pointer(memory, found.interpreter + layout.threads_head) == 0) {
        examination.state = CPythonState::starting;
        return examination;
    }
    // Threads come and go while their list is read: it may look broken for a moment, but not three times.
    constexpr int kAttempts = 3;
    for (int attempt = 0; attempt < kAttempts; attempt++) {
        if (list_is_sound(found, memory)) {
            examination.state = CPythonState::followed;
            found.makers = makers_of(memory, found.context_type);
            // A new interpreter is put at the head of their list, so the main one is its last.
            found.sub_interpreters =
                read_pointer(memory, symbols[runtime_state] + layout.main_interpreter - kMainAfterHead) != found.interpreter;
            return examination;
        }
    }
    return unsupported(examination.version, "its thread states are not where this version keeps them");
}

bool reads(const Memory& memory, std::uint64_t address, std::string_view wanted) {
    std::string text(wanted.size() + 1, '?');
    return memory.read(address, std::as_writable_bytes(std::span(text))) && text == std::string(wanted) + '\0';
}

}  // namespace

std::vector<CPythonMethod> methods_of(const Memory& memory, std::uint64_t type, std::initializer_list<std::string_view> names) {
    std::vector<CPythonMethod> found;
    const std::uint64_t methods = read_pointer(memory, type + kTypeMethods);
    for (std::size_t i = 0; methods != 0 && i < kMethodsMost; i++) {
        const std::uint64_t entry = methods + i * kMethodBytes;
        const std::uint64_t name = read_pointer(memory, entry);
        if (name == 0) {
            break;
        }
        const auto* const wanted =
            std::find_if(names.begin(), names.end(), [&](std::string_view candidate) { return reads(memory, name, candidate); });
        const std::uint64_t function = read_pointer(memory, entry + kMethodFunction);
        if (wanted != names.end() && function != 0) {
            found.push_back(
                {std::string(*wanted), function, read_number<std::uint32_t>(memory, entry + kMethodFlags).value_or(0)});
        }
    }
    return found;
}

CPythonExamination examine_cpython(const CPythonSymbols& symbols, const Memory& memory) {
    if (symbols[runtime_state] == 0) {
        return unsupported({}, "no symbol _PyRuntime");
    }
    const auto version = version_of(symbols, memory);
    if (!version) {
        return unsupported({}, "a version that is not known");
    }
    if (symbols[context_type] == 0 || symbols[copy_current] == 0) {
        return unsupported(version->text, "no symbols of the context API");
    }
    if (!version->released) {
        return unsupported(version->text, "a version before its release");
    }
    const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& row) { return row.minor == version->minor; });
    if (known != kKnown.end()) {
        return follow(symbols, known->layout, known->minor, version->text, memory);
    }
    if (version->minor != 13 && version->minor != 14) {
        return unsupported(version->text, "a version that is not known");
    }
    DebugOffsets told;
    if (!told.read(memory, symbols[runtime_state])) {
        return unsupported(version->text, "it does not tell its structures (_Py_DebugOffsets)");
    }
    if (told.free_threaded()) {
        return unsupported(version->text, "a free-threaded build");
    }
    const auto layout = told_layout(told, version->minor);
    if (!layout) {
        return unsupported(version->text, "what it tells of its structures (_Py_DebugOffsets) makes no sense");
    }
    return follow(symbols, *layout, version->minor, version->text, memory);
}

}  // namespace timesink::runtime
