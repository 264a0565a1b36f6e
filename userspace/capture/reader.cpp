#include "capture/reader.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace timesink::capture {
namespace {

std::span<std::byte> writable_bytes_of(auto& object) {
    return std::as_writable_bytes(std::span(&object, 1));
}

std::string version(std::uint16_t major, std::uint16_t minor) {
    return std::to_string(major) + "." + std::to_string(minor);
}

/// Whether a section of this kind can hold these bytes.
bool is_sound(const SectionHeader& header) {
    return header.stored_bytes <= kMaximumSectionBytes && header.raw_bytes <= kMaximumSectionBytes &&
           ((header.flags & kFlagZstd) != 0 || header.stored_bytes == header.raw_bytes);
}

}  // namespace

void Reader::FreeContext::operator()(ZSTD_DCtx_s* context) const {
    ZSTD_freeDCtx(context);
}

Reader::Reader(File file, std::uint64_t size) : file_(std::move(file)), size_(size), context_(ZSTD_createDCtx()) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::string& path) {
    Result<File> file = File::open(path);
    if (!file) {
        return file.error();
    }
    const Result<std::uint64_t> size = file->size();
    if (!size) {
        return size.error();
    }
    if (*size == 0) {
        return Error{path + ": is empty"};
    }
    FileHeader header{};
    const std::size_t present = std::min<std::uint64_t>(*size, sizeof(header));
    const Result<bool> read = file->read_at(0, writable_bytes_of(header).first(present));
    if (!read) {
        return read.error();
    }
    const std::size_t comparable = std::min(present, kFileMagic.size());
    if (std::memcmp(header.magic.data(), kFileMagic.data(), comparable) != 0) {
        return Error{path + ": is not a timesink recording"};
    }
    if (present < sizeof(header)) {
        return Error{path + ": cut off inside its header (offset " + std::to_string(present) +
                     "): nothing of the recording is left"};
    }
    if (header.crc != crc_up_to(header, header.crc)) {
        return Error{path + ": its header is damaged (offset 0): the checksum does not match"};
    }
    if (header.major > kMajor || header.abi_major > TS_ABI_MAJOR) {
        return Error{path + ": was written by a newer timesink: format " + version(header.major, header.minor) + ", events " +
                     version(header.abi_major, header.abi_minor) + "; this one reads up to " + version(kMajor, kMinor) + " and " +
                     version(TS_ABI_MAJOR, TS_ABI_MINOR)};
    }
    return Reader(std::move(file).value(), *size);
}

Result<Reader::Found> Reader::read_header(std::uint64_t offset, SectionHeader& header) const {
    if (offset == size_) {
        return Found::nothing;
    }
    if (size_ - offset < sizeof(header)) {
        return Found::cut_off;
    }
    const Result<bool> read = file_.read_at(offset, writable_bytes_of(header));
    if (!read) {
        return read.error();
    }
    if (!*read) {
        return Found::cut_off;
    }
    if (header.magic != kSectionMagic || header.header_crc != crc_up_to(header, header.header_crc)) {
        return Error{"the header of a section is damaged"};
    }
    if (!is_sound(header)) {
        return Error{"the header of a section has impossible sizes"};
    }
    return Found::section;
}

Result<Reader::Found> Reader::read_payload(std::uint64_t offset, const SectionHeader& header,
                                           std::vector<std::uint64_t>& raw) const {
    stored_.resize(header.stored_bytes);
    const Result<bool> read = file_.read_at(offset + sizeof(header), stored_);
    if (!read) {
        return read.error();
    }
    if (!*read) {
        return Found::cut_off;
    }
    if (crc_of(stored_) != header.payload_crc) {
        return Error{"a section is damaged: its checksum does not match"};
    }
    raw.resize((header.raw_bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
    if ((header.flags & kFlagZstd) == 0) {
        std::copy(stored_.begin(), stored_.end(), reinterpret_cast<std::byte*>(raw.data()));
        return Found::section;
    }
    const std::size_t length = ZSTD_decompressDCtx(context_.get(), raw.data(), header.raw_bytes, stored_.data(), stored_.size());
    if (ZSTD_isError(length) != 0 || length != header.raw_bytes) {
        return Error{"a section cannot be unpacked"};
    }
    return Found::section;
}

void Reader::stop(Ending::Kind kind, std::string reason) {
    stopped_ = true;
    ending_.kind = kind;
    ending_.offset = position_;
    ending_.reason = std::move(reason);
}

/// Behind the index: the trailer, and then nothing.
void Reader::stop_at_end() {
    Trailer trailer{};
    if (size_ - position_ < sizeof(trailer)) {
        stop(Ending::Kind::cut_off, "the recording ends inside its trailer");
    } else if (!trailer_at(position_, trailer)) {
        stop(Ending::Kind::damaged, "the trailer is damaged");
    } else if (size_ != position_ + sizeof(trailer)) {
        stop(Ending::Kind::damaged, "there are foreign bytes behind the trailer");
    } else {
        stop(Ending::Kind::complete, "");
    }
}

std::optional<std::span<const std::byte>> Reader::next_events() {
    while (!stopped_) {
        SectionHeader header{};
        Result<Found> found = read_header(position_, header);
        const bool wanted = header.kind == static_cast<std::uint16_t>(SectionKind::events) && (header.flags & ~kFlagZstd) == 0;
        if (found && *found == Found::section) {
            // Skipped sections are not read; that they are whole is seen from where the next one begins.
            const bool inside = size_ - position_ - sizeof(header) >= header.stored_bytes;
            found = !inside ? Result<Found>(Found::cut_off) : wanted ? read_payload(position_, header, raw_) : found;
        }
        if (!found) {
            stop(Ending::Kind::damaged, found.error().what);
        } else if (*found == Found::nothing) {
            stop(Ending::Kind::cut_off, "the recording ended without its trailer");
        } else if (*found == Found::cut_off) {
            stop(Ending::Kind::cut_off, "the recording ends inside a section");
        } else {
            position_ += sizeof(header) + header.stored_bytes;
            if (header.kind == static_cast<std::uint16_t>(SectionKind::index)) {
                stop_at_end();
                break;
            }
            ++ending_.sections;
            if (wanted) {
                ending_.first_time =
                    ending_.first_time == 0 ? header.first_time : std::min(ending_.first_time, header.first_time);
                ending_.last_time = std::max(ending_.last_time, header.last_time);
                return std::as_bytes(std::span(raw_)).first(header.raw_bytes);
            }
        }
    }
    return std::nullopt;
}

void Reader::look_again() {
    if (stopped_ && ending_.kind != Ending::Kind::cut_off) {
        return;
    }
    if (const Result<std::uint64_t> size = file_.size()) {
        size_ = *size;
    }
    stopped_ = false;
}

bool Reader::trailer_at(std::uint64_t offset, Trailer& trailer) const {
    const Result<bool> read = file_.read_at(offset, writable_bytes_of(trailer));
    return read && *read && trailer.magic == kEndMagic && trailer.crc == crc_up_to(trailer, trailer.crc);
}

std::optional<std::vector<IndexEntry>> Reader::read_index() const {
    Trailer trailer{};
    if (size_ < sizeof(FileHeader) + sizeof(trailer) || !trailer_at(size_ - sizeof(trailer), trailer) ||
        trailer.index_offset >= size_) {
        return std::nullopt;
    }
    SectionHeader header{};
    std::vector<std::uint64_t> raw;
    const Result<Found> found = read_header(trailer.index_offset, header);
    if (!found || *found != Found::section || header.kind != static_cast<std::uint16_t>(SectionKind::index) ||
        trailer.sections == 0 || header.raw_bytes != trailer.sections * sizeof(IndexEntry)) {
        return std::nullopt;
    }
    const Result<Found> payload = read_payload(trailer.index_offset, header, raw);
    if (!payload || *payload != Found::section) {
        return std::nullopt;
    }
    std::vector<IndexEntry> entries(trailer.sections);
    std::memcpy(entries.data(), raw.data(), header.raw_bytes);
    return entries;
}

std::vector<IndexEntry> Reader::sections() const {
    if (auto entries = read_index()) {
        return *std::move(entries);
    }
    std::vector<IndexEntry> entries;
    std::uint64_t offset = sizeof(FileHeader);
    SectionHeader header{};
    while (true) {
        const Result<Found> found = read_header(offset, header);
        if (!found || *found != Found::section || size_ - offset - sizeof(header) < header.stored_bytes ||
            header.kind == static_cast<std::uint16_t>(SectionKind::index)) {
            return entries;
        }
        entries.push_back({offset, header.first_time, header.last_time, header.stored_bytes, header.kind, header.flags});
        offset += sizeof(header) + header.stored_bytes;
    }
}

Result<std::vector<std::byte>> Reader::facts(SectionKind kind) const {
    std::vector<std::byte> records;
    std::vector<std::uint64_t> raw;
    for (const IndexEntry& entry : sections()) {
        if (entry.kind != static_cast<std::uint16_t>(kind) || (entry.flags & ~kFlagZstd) != 0) {
            continue;
        }
        SectionHeader header{};
        Result<Found> found = entry.offset < size_ ? read_header(entry.offset, header) : Result<Found>(Found::cut_off);
        if (found && *found == Found::section) {
            found = read_payload(entry.offset, header, raw);
        }
        if (!found || *found != Found::section) {
            const std::string reason = found ? "the recording ends inside a section" : found.error().what;
            return Error{path() + ": offset " + std::to_string(entry.offset) + ": " + reason};
        }
        const auto bytes = std::as_bytes(std::span(raw)).first(header.raw_bytes);
        records.insert(records.end(), bytes.begin(), bytes.end());
    }
    return records;
}

}  // namespace timesink::capture
