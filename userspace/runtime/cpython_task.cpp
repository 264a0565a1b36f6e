#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/cpython.hpp"

/// From the interpreter's dictionary of modules to asyncio's Task. Offsets by the debug information (DWARF) of 3.8.18 … 3.13.0
/// and, for 3.14, by _Py_DebugOffsets of 3.14.6; only those that differ between versions are not constants.
namespace timesink::runtime {

namespace {

constexpr std::uint64_t kObjectType = 8;
constexpr std::uint64_t kDictionaryKeys = 32;     // PyDictObject.ma_keys
constexpr std::uint64_t kModuleDictionary = 16;   // PyModuleObject.md_dict
constexpr std::uint64_t kTypeInstanceBytes = 32;  // PyTypeObject.tp_basicsize
constexpr std::uint64_t kTypeInitializer = 296;   // PyTypeObject.tp_init
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

/// A compact ASCII string; what else it may be is not what is looked for.
bool is_text(const CPython& python, const Memory& memory, std::uint64_t object, std::string_view wanted) {
    constexpr std::size_t kMost = 16;
    const std::uint64_t header = python.minor <= 11 ? 48 : 40;  // sizeof(PyASCIIObject)
    if (read_value<std::uint64_t>(memory, object + kTextLength).value_or(0) != wanted.size() || wanted.size() > kMost) {
        return false;
    }
    std::array<char, kMost> text{};
    const std::span letters = std::span(text).first(wanted.size());
    return memory.read(object + header, std::as_writable_bytes(letters)) &&
           std::equal(letters.begin(), letters.end(), wanted.begin());
}

/// The value of a key; 0: there is none.
std::uint64_t value_of(const CPython& python, const Memory& memory, std::uint64_t dictionary, std::string_view key) {
    const auto entries = entries_of(python, memory, dictionary);
    if (!entries) {
        return 0;
    }
    std::vector<std::byte> bytes(entries->count * entries->stride);
    if (!memory.read(entries->address, bytes)) {
        return 0;
    }
    for (std::uint64_t i = 0; i < entries->count; i++) {
        std::array<std::uint64_t, 2> key_and_value{};
        std::memcpy(key_and_value.data(), bytes.data() + i * entries->stride + entries->key, sizeof(key_and_value));
        if (key_and_value[1] != 0 && is_text(python, memory, key_and_value[0], key)) {
            return key_and_value[1];
        }
    }
    return 0;
}

}  // namespace

std::optional<CPythonTask> find_task(const CPython& python, const Memory& memory) {
    constexpr std::uint64_t kBytesMost = 1024;
    const auto modules = read_value<std::uint64_t>(memory, python.interpreter + python.layout.modules).value_or(0);
    const std::uint64_t module = modules != 0 ? value_of(python, memory, modules, "_asyncio") : 0;
    const auto members = module != 0 ? read_value<std::uint64_t>(memory, module + kModuleDictionary).value_or(0) : 0;
    const std::uint64_t type = members != 0 ? value_of(python, memory, members, "Task") : 0;
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
