#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/file.hpp"
#include "capture/format.hpp"

struct ZSTD_CCtx_s;

namespace timesink::capture {

/// Writes a recording beside the live analysis: takes the very bytes that event::Merge gets, in the same order. Owned by the
/// record command, used from one thread. A section goes to the file in one piece once it holds kSectionBytes, at the first
/// watermark, or at one kSectionTime after the one before; whatever ends the process, the sections written until then can be
/// read. Memory: about 3 MiB. Not written by a thread of its own: compressing at level 1 takes a few ms per MiB, less than the
/// rings hold.
class Writer {
public:
    /// Creates the file and writes its header.
    static Result<Writer> create(const std::string& path, Existing existing);
    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    ~Writer();

    /// `records`: whole records, one after the other. An Error (a full disk, or bytes that are no records) ends the recording: it
    /// is readable up to its last section, the rest of `records` is in unwritten(), and later calls give the same Error and do
    /// nothing.
    Status append(std::span<const std::byte> records);
    /// Writes what it holds at once, for nothing may come for a while. Errors as append()'s.
    Status flush();
    /// Writes what is left, the index and the trailer, and closes. Once, as the last call.
    Status finish();
    /// What was given and is in no section of the file yet, or never will be: after an Error, whoever wants to go on without the
    /// recording begins with it. Valid until the next call.
    [[nodiscard]] std::span<const std::byte> unwritten() const { return events_.raw; }
    /// Bytes in the file; after finish(), its size.
    [[nodiscard]] std::uint64_t bytes_written() const { return written_; }

private:
    struct Pending {
        std::vector<std::byte> raw;
        std::uint64_t first_time = 0;
        std::uint64_t last_time = 0;
    };
    struct FreeContext {
        void operator()(ZSTD_CCtx_s* context) const;
    };

    explicit Writer(File file);
    void copy_fact(std::span<const std::byte> record, std::uint64_t time);
    Status write_pending();
    Status write_section(SectionKind kind, Pending& pending);
    Status write(std::span<const std::byte> bytes);
    Status write_end();

    File file_;
    std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
    Pending events_;
    std::map<SectionKind, Pending> facts_;
    std::vector<std::byte> section_;  ///< header and stored bytes, as they go to the file
    std::vector<IndexEntry> index_;
    std::uint64_t written_ = 0;
    std::uint64_t flushed_at_ = 0;  ///< time of the watermark at which the last section was closed; 0: none yet
    Status status_ = Done{};
};

}  // namespace timesink::capture
