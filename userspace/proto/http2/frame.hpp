#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The frames of HTTP/2 (RFC 9113 section 4 and 6).
namespace timesink::proto::http2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kHeaderBytes = 9;
/// What every endpoint must accept. Larger frames need a SETTINGS_MAX_FRAME_SIZE of the receiver.
inline constexpr std::uint32_t kOrdinaryPayload = 16384;

enum class FrameType : std::uint8_t {
    data = 0,
    headers = 1,
    priority = 2,
    rst_stream = 3,
    settings = 4,
    push_promise = 5,
    ping = 6,
    goaway = 7,
    window_update = 8,
    continuation = 9,
    alternative_service = 10,  ///< RFC 7838
    origin = 12,               ///< RFC 8336
    priority_update = 16,      ///< RFC 9218
};

inline constexpr std::uint8_t kEndStream = 0x01;  ///< DATA, HEADERS; of SETTINGS and PING: ACK
inline constexpr std::uint8_t kEndHeaders = 0x04;
inline constexpr std::uint8_t kPadded = 0x08;
inline constexpr std::uint8_t kPriority = 0x20;

struct FrameHeader {
    std::uint32_t length = 0;
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    bool reserved = false;  ///< the bit that must not be set
    [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// Of at least kHeaderBytes bytes.
FrameHeader frame_header(std::string_view bytes);

/// Lengths, flags and stream as the RFC has them, of a type that is known. What a peer may send beyond it (unknown types) is not.
bool is_regular(const FrameHeader& header);

/// How many regular frames follow each other from the first byte on. `exact`: the last of them ends with the bytes.
struct FrameChain {
    std::size_t whole = 0;
    bool exact = false;
    bool broken = false;    ///< what follows them is no frame
    bool headers = false;   ///< HEADERS that open a stream of a client are among them, whole
    bool settings = false;  ///< the first is a SETTINGS with known parameters
};
/// `latest`: the highest stream that is known to have begun; 0: none is. Bytes that are no frames have zeros in runs, which look
/// like empty frames of high streams: so only empty DATA that end a stream count, and streams near the latest.
FrameChain frame_chain(std::string_view bytes, std::uint32_t latest);

}  // namespace timesink::proto::http2
