#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/cpython.hpp"

/// From the interpreter's dictionary of modules to asyncio's Task and to where work is handed to other threads. Offsets by the
/// debug information (DWARF) of 3.8.18 … 3.13.0 and, for 3.14, by _Py_DebugOffsets of 3.14.6; only those that differ between
/// versions are not constants.
namespace timesink::runtime {

namespace {

constexpr std::uint64_t kObjectType = 8;
constexpr std::uint64_t kDictionaryKeys = 32;     // PyDictObject.ma_keys
constexpr std::uint64_t kModuleDictionary = 16;   // PyModuleObject.md_dict
constexpr std::uint64_t kTypeInstanceBytes = 32;  // PyTypeObject.tp_basicsize
constexpr std::uint64_t kTypeInitializer = 296;   // PyTypeObject.tp_init
constexpr std::uint64_t kTypeName = 24;           // PyTypeObject.tp_name
constexpr std::uint64_t kFunctionMethod = 16;     // PyCFunctionObject.m_ml: its PyMethodDef
constexpr std::uint64_t kTextLength = 16;         // PyASCIIObject.length

template <typename Value>
std::optional<Value> read_value(const Memory& memory, std::uint64_t address) {
    Value value{};
    if (address == 0 || !memory.read(address, std::as_writable_bytes(std::span(&value, 1)))) {
        return std::nullopt;
    }
    return value;
}

/// Where a dictionary's entries are (PyDictKeysObject).
struct Entries {
    std::uint64_t address = 0;
    std::uint64_t count = 0;
    std::uint64_t stride = 24;  ///< hash, key, value; 16 without the hash
    std::uint64_t key = 8;
};

std::optional<Entries> entries_of(const CPython& python, const Memory& memory, std::uint64_t dictionary) {
    constexpr std::uint64_t kMost = 1 << 20U;
    if (read_value<std::uint64_t>(memory, dictionary + kObjectType).value_or(0) != python.dictionary_type) {
        return std::nullopt;
    }
    const auto keys = read_value<std::uint64_t>(memory, dictionary + kDictionaryKeys).value_or(0);
    const auto words = read_value<std::array<std::uint64_t, 5>>(memory, keys);
    if (!words) {
        return std::nullopt;
    }
    Entries entries;
    std::uint64_t indices = 0;
    if (python.minor <= 10) {  // dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries, dk_indices
        const std::uint64_t size = (*words)[1];
        const std::uint64_t width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
        entries.count = (*words)[4];
        entries.address = keys + 40;
        indices = size <= kMost ? size * width : kMost;
    } else {  // dk_refcnt, (dk_log2_size, dk_log2_index_bytes, dk_kind: bytes), dk_usable, dk_nentries, dk_indices
        const std::uint64_t kind = (*words)[1] >> 16U & 0xff;
        entries.count = (*words)[3];
        entries.address = keys + 32;
        indices = std::uint64_t{1} << std::min<std::uint64_t>((*words)[1] >> 8U & 0xff, 30);
        if (kind != 0) {  // DICT_KEYS_UNICODE, DICT_KEYS_SPLIT
            entries.stride = 16;
            entries.key = 0;
        }
    }
    entries.address += indices;
    return entries.count <= kMost ? std::optional(entries) : std::nullopt;
}

constexpr std::size_t kTextMost = 16;

/// A compact ASCII string; what else it may be is not what is looked for. Empty: longer, or not readable.
std::string text_of(const CPython& python, const Memory& memory, std::uint64_t object, std::size_t most = kTextMost) {
    const std::uint64_t header = python.minor <= 11 ? 48 : 40;  // sizeof(PyASCIIObject)
    std::string text(std::min<std::uint64_t>(read_value<std::uint64_t>(memory, object + kTextLength).value_or(0), most + 1), ' ');
    if (text.size() > most || !memory.read(object + header, std::as_writable_bytes(std::span(text)))) {
        text.clear();
    }
    return text;
}

bool is_text(const CPython& python, const Memory& memory, std::uint64_t object, std::string_view wanted) {
    return read_value<std::uint64_t>(memory, object + kTextLength).value_or(0) == wanted.size() &&
           text_of(python, memory, object) == wanted;
}

using KeyAndValue = std::array<std::uint64_t, 2>;

/// Calls visit(key, value) for each entry until it returns false.
template <typename Visit>
void each_entry(const CPython& python, const Memory& memory, std::uint64_t dictionary, Visit visit) {
    const auto entries = entries_of(python, memory, dictionary);
    if (!entries) {
        return;
    }
    std::vector<std::byte> bytes(entries->count * entries->stride);
    if (!memory.read(entries->address, bytes)) {
        return;
    }
    for (std::uint64_t i = 0; i < entries->count; i++) {
        KeyAndValue entry{};
        std::memcpy(entry.data(), bytes.data() + i * entries->stride + entries->key, sizeof(entry));
        if (entry[1] != 0 && !visit(entry[0], entry[1])) {
            return;
        }
    }
}

/// The value of a key; 0: there is none.
std::uint64_t value_of(const CPython& python, const Memory& memory, std::uint64_t dictionary, std::string_view wanted) {
    std::uint64_t found = 0;
    each_entry(python, memory, dictionary, [&](std::uint64_t key, std::uint64_t value) {
        found = is_text(python, memory, key, wanted) ? value : 0;
        return found == 0;
    });
    return found;
}

/// What a module that is imported has under a name; 0: no such module or name.
std::uint64_t member_of(const CPython& python, const Memory& memory, std::string_view module, std::string_view name) {
    const auto modules = read_value<std::uint64_t>(memory, python.interpreter + python.layout.modules).value_or(0);
    const std::uint64_t found = modules != 0 ? value_of(python, memory, modules, module) : 0;
    const auto members = found != 0 ? read_value<std::uint64_t>(memory, found + kModuleDictionary).value_or(0) : 0;
    return members != 0 ? value_of(python, memory, members, name) : 0;
}

bool is_named(const Memory& memory, std::uint64_t type, std::string_view wanted) {
    constexpr std::size_t kMost = 16;
    std::array<char, kMost> text{};
    const std::span letters = std::span(text).first(std::min(wanted.size() + 1, kMost));
    const auto name = read_value<std::uint64_t>(memory, type + kTypeName).value_or(0);
    return name != 0 && memory.read(name, std::as_writable_bytes(letters)) &&
           std::string_view(letters.data(), letters.size()) == std::string(wanted) + '\0';
}

}  // namespace

CPythonHandOver find_hand_over(const CPython& python, const Memory& memory) {
    CPythonHandOver found;
    if (const std::uint64_t function = member_of(python, memory, "_contextvars", "copy_context"); function != 0) {
        const auto method = read_value<std::uint64_t>(memory, function + kFunctionMethod).value_or(0);
        found.copy_context = read_value<std::uint64_t>(memory, method + kMethodFunction).value_or(0);
    }
    if (const std::uint64_t type = member_of(python, memory, "_queue", "SimpleQueue"); type != 0) {
        for (const CPythonMethod& method : methods_of(memory, type, {"put", "put_nowait", "get", "get_nowait"})) {
            const bool takes_array = (method.flags & (kMethodFast | kMethodKeywords)) == (kMethodFast | kMethodKeywords);
            if (method.name.starts_with("get")) {
                found.gets.push_back(method.function);
            } else if (takes_array) {
                found.puts.push_back(method.function);
            }
        }
    }
    const std::uint64_t threads = member_of(python, memory, "threading", "_active");
    each_entry(python, memory, threads, [&](std::uint64_t, std::uint64_t thread) {
        const auto type = read_value<std::uint64_t>(memory, thread + kObjectType).value_or(0);
        found.has_workers = type != 0 && is_named(memory, type, "WorkerThread");
        return !found.has_workers;
    });
    return found;
}

CPythonTransport find_buffering_transport(const CPython& python, const Memory& memory) {
    // 0.22.1 does not, 0.23.0 does. A probe too many only costs; one that is missing leaves all calls without an owner.
    constexpr std::string_view kAtOnce = "0.23";
    CPythonTransport found;
    const std::uint64_t type = member_of(python, memory, "uvloop.loop", "UVStream");
    if (type == 0) {
        return found;
    }
    const std::uint64_t version = member_of(python, memory, "uvloop", "__version__");
    const std::string text = version != 0 ? text_of(python, memory, version) : "";
    if (text.starts_with(kAtOnce)) {
        return found;
    }
    for (const CPythonMethod& method : methods_of(memory, type, {"write", "writelines"})) {
        if ((method.flags & kMethodOne) != 0) {
            found.writes.push_back(method.function);
        } else if ((method.flags & kMethodFast) != 0) {
            found.fast_writes.push_back(method.function);
        }
    }
    return found;
}

std::optional<CPythonTask> find_task(const CPython& python, const Memory& memory) {
    constexpr std::uint64_t kBytesMost = 1024;
    const std::uint64_t type = member_of(python, memory, "_asyncio", "Task");
    if (type == 0) {
        return std::nullopt;
    }
    const auto initializer = read_value<std::uint64_t>(memory, type + kTypeInitializer).value_or(0);
    const auto bytes = read_value<std::uint64_t>(memory, type + kTypeInstanceBytes).value_or(0);
    if (initializer == 0 || bytes == 0 || bytes > kBytesMost) {
        return std::nullopt;
    }
    return CPythonTask{initializer, static_cast<std::uint32_t>(bytes)};
}

}  // namespace timesink::runtime
