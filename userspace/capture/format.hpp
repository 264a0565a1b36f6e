#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "event/event.hpp"

/// The layout of a recording on disk; docs/recording-format.md has the grammar. Little endian, no padding, every part under a
/// CRC-32 (zlib's), so that damage is found before anything of it is believed.
namespace timesink::capture {

/// Not text, and mangled by a transfer as text: the idea of PNG's signature.
inline constexpr std::array<char, 8> kFileMagic = {'\x89', 'T', 'S', 'R', '\r', '\n', '\x1a', '\n'};
inline constexpr std::array<char, 8> kEndMagic = {'T', 'S', 'R', 'E', 'N', 'D', '\r', '\n'};
inline constexpr std::uint32_t kSectionMagic = 0x54434553;  // "SECT"

/// A reader refuses a greater major; a greater minor only adds section kinds, which it skips.
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;

/// Raw bytes of an events section at which the writer closes it, and the event time after which it does in any case.
inline constexpr std::size_t kSectionBytes = 1 << 20;
inline constexpr Duration kSectionTime = std::chrono::seconds(1);
/// No section is larger, raw or stored: what a reader allocates for one is bounded whatever a header says.
inline constexpr std::uint32_t kMaximumSectionBytes = 16 << 20;

struct FileHeader {
    std::array<char, 8> magic;
    std::uint16_t major;
    std::uint16_t minor;
    std::uint16_t abi_major;  ///< of the records: include/timesink/abi/events.h
    std::uint16_t abi_minor;
    std::uint32_t reserved;
    std::uint32_t crc;  ///< of the bytes before it
};
static_assert(sizeof(FileHeader) == 24);

/// What a section holds. All but `events` and `index` are copies of fact records, so that what a recording is about can be read
/// without unpacking its events.
enum class SectionKind : std::uint16_t {
    events = 1,    ///< all records in the order in which they were drained: the run
    host = 2,      ///< facts host, timesink, routes
    targets = 3,   ///< facts target, process, attached, detached
    mappings = 4,  ///< facts mapping
    probes = 5,    ///< facts probe
    drops = 6,     ///< facts drops
    own_cost = 7,  ///< facts own_cost
    index = 8,     ///< IndexEntry of every section before it
};

inline constexpr std::uint16_t kFlagZstd = 1 << 0;  ///< the stored bytes are one zstd frame

struct SectionHeader {
    std::uint32_t magic;
    std::uint16_t kind;
    std::uint16_t flags;  ///< a reader skips a section with a flag that it does not know
    std::uint32_t stored_bytes;
    std::uint32_t raw_bytes;
    std::uint64_t first_time;  ///< of its records, ns; 0 where it has none
    std::uint64_t last_time;
    std::uint32_t payload_crc;  ///< of the stored bytes
    std::uint32_t header_crc;   ///< of the bytes before it
};
static_assert(sizeof(SectionHeader) == 40);

struct IndexEntry {
    std::uint64_t offset;  ///< of the section's header in the file
    std::uint64_t first_time;
    std::uint64_t last_time;
    std::uint32_t stored_bytes;
    std::uint16_t kind;
    std::uint16_t flags;
};
static_assert(sizeof(IndexEntry) == 32);

/// The last bytes of a recording that was ended in order.
struct Trailer {
    std::uint64_t index_offset;  ///< of the index section's header
    std::uint32_t sections;      ///< in the index; 0: they have to be searched for
    std::uint32_t crc;           ///< of the bytes before it
    std::array<char, 8> magic;
};
static_assert(sizeof(Trailer) == 24);

/// CRC-32 (IEEE 802.3), as zlib's crc32(). By libdeflate, which takes a tenth of zlib's time: 2 % of an analysis.
std::uint32_t crc_of(std::span<const std::byte> bytes);
/// CRC of an object's bytes up to its member `crc`.
template <typename Object>
std::uint32_t crc_up_to(const Object& object, const std::uint32_t& crc) {
    const auto bytes = std::as_bytes(std::span(&object, 1));
    const auto end = reinterpret_cast<const std::byte*>(&crc) - bytes.data();
    return crc_of(bytes.first(static_cast<std::size_t>(end)));
}

/// The section that copies a fact of this name; empty for facts that stand in the events alone (samples).
std::optional<SectionKind> section_of_fact(std::string_view fact);

}  // namespace timesink::capture
