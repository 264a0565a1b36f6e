#include "capture/writer.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/pace.hpp"
#include "event/record.hpp"

namespace timesink::capture {
namespace {

/// On a stream of HTTP and PostgreSQL calls, level 3 takes a third longer and makes the file no smaller (tests/bench/synthesize).
constexpr int kLevel = 1;
/// What is compressed between two looks at the pace, in a tenth of a millisecond.
constexpr std::size_t kPiece = std::size_t{64} << 10;

std::span<const std::byte> bytes_of(const auto& object) {
    return std::as_bytes(std::span(&object, 1));
}

void append_record(auto& pending, std::span<const std::byte> record, std::uint64_t time) {
    pending.first_time = pending.raw.empty() ? time : std::min(pending.first_time, time);
    pending.last_time = pending.raw.empty() ? time : std::max(pending.last_time, time);
    pending.raw.insert(pending.raw.end(), record.begin(), record.end());
}

/// One frame that says its size; returns its bytes, an error code of zstd's, or to.size() when it does not fit.
std::size_t compress(ZSTD_CCtx* context, std::span<const std::byte> from, std::span<std::byte> to) {
    ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
    ZSTD_CCtx_setPledgedSrcSize(context, from.size());
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    while (out.pos < out.size) {
        ZSTD_inBuffer in{from.data(), std::min(kPiece, from.size()), 0};
        const bool last = in.size == from.size();
        const std::size_t left = ZSTD_compressStream2(context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left) != 0) {
            return left;
        }
        if (last && left == 0) {
            break;
        }
        from = from.subspan(in.pos);
        Pace::look();
    }
    return out.pos;
}

}  // namespace

void Writer::FreeContext::operator()(ZSTD_CCtx_s* context) const {
    ZSTD_freeCCtx(context);
}

Writer::Writer(File file) : file_(std::move(file)), context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::create(const std::string& path, Existing existing) {
    Result<File> file = File::create(path, existing);
    if (!file) {
        return file.error();
    }
    Writer writer(std::move(file).value());
    FileHeader header{.magic = kFileMagic,
                      .major = kMajor,
                      .minor = kMinor,
                      .abi_major = TS_ABI_MAJOR,
                      .abi_minor = TS_ABI_MINOR,
                      .reserved = 0,
                      .crc = 0};
    header.crc = crc_up_to(header, header.crc);
    if (Status written = writer.write(bytes_of(header)); !written) {
        return written.error();
    }
    return writer;
}

Status Writer::append(std::span<const std::byte> records) {
    if (!status_) {
        return status_;
    }
    while (status_ && !records.empty()) {
        const auto head = event::read_head(records);
        if (!head) {
            status_ = Error{file_.path() + ": what should be recorded is no record"};
            break;
        }
        const auto record = records.first(head->size);
        records = records.subspan(head->size);
        append_record(events_, record, head->time);
        if (head->kind == TS_EVENT_FACT) {
            copy_fact(record, head->time);
        }
        bool due = events_.raw.size() >= kSectionBytes;
        // The first at once: a recording that is killed early still says what it was attached to.
        if (head->kind == TS_EVENT_WATERMARK &&
            (flushed_at_ == 0 || head->time >= flushed_at_ + static_cast<std::uint64_t>(to_ns(kSectionTime)))) {
            flushed_at_ = head->time;
            due = true;
        }
        if (due) {
            status_ = write_pending();
        }
    }
    events_.raw.insert(events_.raw.end(), records.begin(), records.end());  // of a recording that ends here
    return status_;
}

void Writer::copy_fact(std::span<const std::byte> record, std::uint64_t time) {
    // A record in the caller's buffer need not be aligned; facts are rare.
    std::vector<std::uint64_t> aligned(record.size() / sizeof(std::uint64_t));
    std::memcpy(aligned.data(), record.data(), record.size());
    const auto copy = std::as_bytes(std::span(aligned));
    if (event::check(copy) != event::Validity::valid) {
        return;
    }
    const nlohmann::json body = event::read_fact(copy);
    if (body.is_null()) {
        return;
    }
    if (const auto kind = section_of_fact(event::fact_name(body))) {
        append_record(facts_[*kind], record, time);
    }
}

Status Writer::flush() {
    if (status_) {
        status_ = write_pending();
    }
    return status_;
}

Status Writer::write_pending() {
    if (!events_.raw.empty()) {
        if (Status written = write_section(SectionKind::events, events_); !written) {
            return written;
        }
    }
    for (auto& [kind, pending] : facts_) {
        if (Status written = write_section(kind, pending); !written) {
            return written;
        }
    }
    facts_.clear();
    return Done{};
}

Status Writer::write_section(SectionKind kind, Pending& pending) {
    const std::size_t bound = ZSTD_compressBound(pending.raw.size());
    section_.resize(sizeof(SectionHeader) + bound);
    std::byte* const payload = section_.data() + sizeof(SectionHeader);
    std::size_t stored = compress(context_.get(), pending.raw, {payload, bound});
    std::uint16_t flags = kFlagZstd;
    if (ZSTD_isError(stored) != 0 || stored >= pending.raw.size()) {
        flags = 0;
        stored = pending.raw.size();
        std::copy(pending.raw.begin(), pending.raw.end(), payload);
    }
    SectionHeader header{.magic = kSectionMagic,
                         .kind = static_cast<std::uint16_t>(kind),
                         .flags = flags,
                         .stored_bytes = static_cast<std::uint32_t>(stored),
                         .raw_bytes = static_cast<std::uint32_t>(pending.raw.size()),
                         .first_time = pending.first_time,
                         .last_time = pending.last_time,
                         .payload_crc = crc_of({payload, stored}),
                         .header_crc = 0};
    header.header_crc = crc_up_to(header, header.header_crc);
    std::memcpy(section_.data(), &header, sizeof(header));
    const IndexEntry entry{written_, header.first_time, header.last_time, header.stored_bytes, header.kind, header.flags};
    if (Status written = write({section_.data(), sizeof(header) + stored}); !written) {
        return written;
    }
    index_.push_back(entry);
    pending.raw.clear();
    return Done{};
}

Status Writer::write(std::span<const std::byte> bytes) {
    if (Status written = file_.append(bytes, written_); !written) {
        return written;
    }
    written_ += bytes.size();
    return Done{};
}

Status Writer::write_end() {
    if (index_.size() * sizeof(IndexEntry) > kMaximumSectionBytes) {
        index_.clear();  // days of sections: a reader finds them one by one
    }
    Pending index;
    const auto entries = std::as_bytes(std::span(index_));
    index.raw.assign(entries.begin(), entries.end());
    Trailer trailer{
        .index_offset = written_, .sections = static_cast<std::uint32_t>(index_.size()), .crc = 0, .magic = kEndMagic};
    trailer.crc = crc_up_to(trailer, trailer.crc);
    if (Status written = write_section(SectionKind::index, index); !written) {
        return written;
    }
    return write(bytes_of(trailer));
}

Status Writer::finish() {
    if (status_) {
        status_ = write_pending();
    }
    if (status_) {
        status_ = write_end();
    }
    const Status closed = file_.close();
    if (status_) {
        status_ = closed;
    }
    return status_;
}

}  // namespace timesink::capture
