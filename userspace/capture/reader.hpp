#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/file.hpp"
#include "capture/format.hpp"

struct ZSTD_DCtx_s;

namespace timesink::capture {

/// How far a recording could be read.
struct Ending {
    enum class Kind : std::uint8_t {
        complete,
        cut_off,  ///< the file stops before its trailer: timesink was killed, or the disk was full
        damaged,  ///< bytes that the writer did not write, or the disk cannot read
    };
    Kind kind = Kind::complete;
    std::uint64_t offset = 0;      ///< where reading stopped
    std::uint64_t sections = 0;    ///< complete ones before it
    std::string reason;            ///< one line, no full stop; empty when complete
    std::uint64_t first_time = 0;  ///< ns; of the events in the complete sections; both 0 when there are none
    std::uint64_t last_time = 0;
};

/// Reads a recording front to back, one section in memory at a time. What it gives was written so: every section is held against
/// its checksums first, and reading stops at the first that fails. Not resumed behind it: whose length or order cannot be trusted
/// would have to be guessed, and the units there would be left out as touched by a loss anyway.
class Reader {
public:
    /// Error: cannot be opened, empty, not a recording, its header damaged or cut off, a newer major version.
    static Result<Reader> open(const std::string& path);
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    ~Reader();

    /// The records of the next events section, aligned; valid until the next call. Empty: there are no more, and ending() says
    /// why. Other sections, known or not, are skipped.
    std::optional<std::span<const std::byte>> next_events();
    /// After next_events() gave nothing.
    [[nodiscard]] const Ending& ending() const { return ending_; }
    /// Of a recording that is still being written: where next_events() found no whole section, it may find one now.
    void look_again();
    /// Bytes up to which next_events() has read.
    [[nodiscard]] std::uint64_t position() const { return position_; }

    /// All records of one kind of fact section, in order, as far as the file is readable; reads no events. Independent of
    /// next_events().
    Result<std::vector<std::byte>> facts(SectionKind kind) const;
    /// The sections: from the index, or found one by one where the recording has none.
    [[nodiscard]] std::vector<IndexEntry> sections() const;

    [[nodiscard]] const std::string& path() const { return file_.path(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    struct FreeContext {
        void operator()(ZSTD_DCtx_s* context) const;
    };
    /// What stands at an offset. An Error's text is the reason of an Ending.
    enum class Found : std::uint8_t { section, nothing, cut_off };

    Reader(File file, std::uint64_t size);
    Result<Found> read_header(std::uint64_t offset, SectionHeader& header) const;
    Result<Found> read_payload(std::uint64_t offset, const SectionHeader& header, std::vector<std::uint64_t>& raw) const;
    std::optional<std::vector<IndexEntry>> read_index() const;
    bool trailer_at(std::uint64_t offset, Trailer& trailer) const;
    void stop(Ending::Kind kind, std::string reason);
    void stop_at_end();

    File file_;
    std::uint64_t size_;
    std::uint64_t position_ = sizeof(FileHeader);
    std::unique_ptr<ZSTD_DCtx_s, FreeContext> context_;
    mutable std::vector<std::byte> stored_;
    std::vector<std::uint64_t> raw_;  ///< words: aligned as records are
    Ending ending_;
    bool stopped_ = false;
};

}  // namespace timesink::capture
