#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/memory.hpp"

/// What language runtimes keep where, told from their own symbols and memory; nothing is executed, no file name is trusted. Knows
/// neither /proc nor ELF: live/ hands in what it has read there.
namespace timesink::runtime {

/// The symbols that an image of CPython is asked for, in this order. The dynamic table has them in every build that can load
/// extension modules, stripped or not.
inline constexpr std::array<std::string_view, 8> kCPythonSymbols{
    "_PyRuntime",
    "Py_Version",                 // 3.11
    "PyContext_Type",             // 3.7
    "PyContext_CopyCurrent",      // 3.7
    "PyModule_AddObjectRef",      // 3.10
    "PyModule_AddType",           // 3.9
    "PyCode_NewWithPosOnlyArgs",  // 3.8
    "PyDict_Type",
};
/// Where they are in the process; 0: the image has no such symbol.
using CPythonSymbols = std::array<std::uint64_t, kCPythonSymbols.size()>;

/// Offsets in bytes.
struct CPythonLayout {
    std::uint32_t main_interpreter;  ///< _PyRuntimeState: pointer to the main PyInterpreterState
    std::uint32_t threads_head;      ///< PyInterpreterState: first thread state
    std::uint32_t previous;          ///< PyThreadState, as all below
    std::uint32_t next;
    std::uint32_t interpreter;
    std::uint32_t thread_id;
    std::uint32_t context;
    std::uint32_t object_type;  ///< PyObject
    std::uint32_t modules;      ///< PyInterpreterState: the dictionary of modules
};

/// A process in which contexts can be followed. Addresses are the process's.
struct CPython {
    CPythonLayout layout;
    std::uint64_t interpreter = 0;
    std::uint32_t minor = 0;  ///< of version 3
    std::uint64_t context_type = 0;
    std::uint64_t dictionary_type = 0;
    std::vector<std::uint64_t> makers;  ///< return a context that is no copy of the current one
    bool sub_interpreters = false;      ///< there are some, whose threads are not followed
};

enum class CPythonState : std::uint8_t {
    followed,
    starting,     ///< the interpreter is not up yet: ask again
    unsupported,  ///< `reason` says why; asking again is of no use
};

struct CPythonExamination {
    CPythonState state = CPythonState::unsupported;
    std::string version;  ///< "3.11.7", "3.9" where the patch level is not told; empty: not known
    std::string reason;   ///< "free-threaded build", …
    CPython found;        ///< when followed
};

/// Finds the way from the symbols to the contexts, and checks each step on the process itself: what does not look as the version
/// should is unsupported, never guessed.
CPythonExamination examine_cpython(const CPythonSymbols& symbols, const Memory& memory);

/// asyncio's own Task, the one written in C, which every event loop uses.
struct CPythonTask {
    std::uint64_t initializer = 0;  ///< address of the function that Task.__init__ is
    std::uint32_t bytes = 0;        ///< of an instance
};
/// Empty: asyncio is not imported (yet), or its Task is not to be found.
std::optional<CPythonTask> find_task(const CPython& python, const Memory& memory);

/// An entry of a type's table of methods.
struct CPythonMethod {
    std::string name;
    std::uint64_t function = 0;
    std::uint32_t flags = 0;
};
inline constexpr std::uint64_t kMethodFunction = 8;  ///< PyMethodDef: name, function, flags, doc
inline constexpr std::uint32_t kMethodKeywords = 0x2;
inline constexpr std::uint32_t kMethodOne = 0x8;
inline constexpr std::uint32_t kMethodFast = 0x80;
/// Those of the methods that are named, in the type's order. The functions are static, and no symbol need name them.
std::vector<CPythonMethod> methods_of(const Memory& memory, std::uint64_t type, std::initializer_list<std::string_view> names);

/// Where work goes to other threads; 0, empty: not imported (yet), or not to be found.
struct CPythonHandOver {
    std::uint64_t copy_context = 0;   ///< returns a copy of the current context: anyio hands it to its worker threads
    std::vector<std::uint64_t> puts;  ///< of SimpleQueue, through which executors hand work on: self, then an array of arguments
    std::vector<std::uint64_t> gets;
    bool has_workers = false;  ///< anyio has started worker threads, so copies are of use
};
CPythonHandOver find_hand_over(const CPython& python, const Memory& memory);

/// A transport's methods that take what is to be sent later: self, then the data or (fast) an array of arguments.
struct CPythonTransport {
    std::vector<std::uint64_t> writes;
    std::vector<std::uint64_t> fast_writes;
};
/// uvloop's, before 0.23 or where its version cannot be read; empty: it is not imported, or sends at once.
CPythonTransport find_buffering_transport(const CPython& python, const Memory& memory);

}  // namespace timesink::runtime
