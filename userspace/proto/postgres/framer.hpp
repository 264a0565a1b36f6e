#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "proto/parser.hpp"

namespace timesink::proto::postgres {

/// Code of the packets that open a connection, which have no type byte (their length's first byte, 0, stands in its place).
inline constexpr std::uint32_t kCancelRequest = 80877102;
inline constexpr std::uint32_t kSslRequest = 80877103;
inline constexpr std::uint32_t kGssEncryptionRequest = 80877104;
/// Type given to them by the framer.
inline constexpr char kOpening = '\0';

struct Message {
    char type = 0;
    std::uint64_t begin = 0;   ///< stream position of the type byte
    std::uint64_t end = 0;     ///< after its last byte
    std::string_view payload;  ///< what the parser reads of it; valid until the framer goes on, or its bytes
    bool cut = false;          ///< payload is only the first part
    [[nodiscard]] std::uint64_t bytes() const { return end - begin; }
};

std::uint32_t big_endian_32(std::string_view four_bytes);

/// Whether messages of that direction have this type.
bool is_type(Direction direction, char type);

/// Whether `type` with this length field (itself included, the type byte not) can be a message of that direction.
bool plausible(Direction direction, char type, std::uint32_t length);

/// Cuts one direction into messages; keeps of each only as much as the parser reads.
class Framer {
public:
    explicit Framer(Direction direction) : direction_(direction) {}

    /// between() only: a message of which all bytes are there, uncopied: nearly every one. Null: it is not whole, not plausible,
    /// or opens a connection; then take() goes on.
    [[nodiscard]] std::optional<Message> whole(std::span<const std::byte> bytes, std::uint64_t position) const;
    /// between() only: of as many whole messages of this type as begin there: their bytes, and those ahead of the last one.
    struct Run {
        std::size_t bytes = 0;
        std::size_t last = 0;
    };
    [[nodiscard]] Run run_of(char type, std::span<const std::byte> bytes) const;
    /// Takes bytes of at most one message; returns how many.
    std::size_t take(std::span<const std::byte> bytes, std::uint64_t position);
    /// `bytes` were not captured. Returns how many of them belong to the message in progress; fewer: its end and more is gone.
    std::uint64_t skip(std::uint64_t bytes);

    [[nodiscard]] bool complete() const { return begun() && remaining_ == 0; }
    [[nodiscard]] bool invalid() const { return invalid_; }
    /// Its type and length are known.
    [[nodiscard]] bool begun() const { return header_bytes_ == header_size_ && !invalid_; }
    [[nodiscard]] bool between() const { return header_bytes_ == 0; }
    /// Of a message that has not begun(): what there is of its type and length.
    [[nodiscard]] std::string_view partial_header() const { return {header_, begun() || invalid_ ? 0 : header_bytes_}; }
    /// begun(), and all of the payload is there that is kept. True once for each message.
    [[nodiscard]] bool opens() { return begun() && (wanted_ == 0 || remaining_ == 0) && !std::exchange(opened_, true); }
    /// complete() or opens() only.
    [[nodiscard]] Message message() const { return {type_, begin_, end_, payload_, cut_}; }
    /// Ready for the next message.
    void next();

private:
    void header_done();

    Direction direction_;
    char header_[8] = {};
    std::size_t header_bytes_ = 0;
    std::size_t header_size_ = 5;
    char type_ = 0;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
    std::uint64_t remaining_ = 0;
    std::size_t wanted_ = 0;  ///< of the payload, still to be kept
    std::string payload_;
    bool cut_ = false;
    bool invalid_ = false;
    bool opened_ = false;
};

}  // namespace timesink::proto::postgres
