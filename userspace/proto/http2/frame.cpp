#include "proto/http2/frame.hpp"

#include <algorithm>

namespace timesink::proto::http2 {
namespace {

std::uint32_t big_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char byte : bytes) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

bool only(const FrameHeader& header, std::uint8_t flags) {
    return (header.flags & static_cast<std::uint8_t>(~flags)) == 0;
}

bool is_likely(const FrameHeader& header, std::uint32_t latest) {
    constexpr std::uint32_t kFirstSeen = 1U << 22;
    constexpr std::uint32_t kAhead = 4096;
    const bool near = header.stream == 0 || (header.stream <= (latest == 0 ? kFirstSeen : latest + kAhead));
    const bool empty = header.type == FrameType::data && header.length == 0 && !header.has(kEndStream);
    const bool pushed = header.stream % 2 == 0 && header.stream != 0 && header.type != FrameType::window_update;
    return is_regular(header) && near && !empty && !pushed && header.length <= kOrdinaryPayload;
}

bool has_known_settings(std::string_view payload) {
    constexpr std::uint32_t kLastKnown = 9;
    while (payload.size() >= 6) {
        const std::uint32_t parameter = big_endian(payload.substr(0, 2));
        if (parameter == 0 || (parameter > kLastKnown && (parameter & 0x0f0f) != 0x0a0a)) {  // 0x?a?a: greasing, RFC 8701
            return false;
        }
        payload.remove_prefix(6);
    }
    return true;
}

}  // namespace

FrameHeader frame_header(std::string_view bytes) {
    FrameHeader header;
    header.length = big_endian(bytes.substr(0, 3));
    header.type = static_cast<FrameType>(bytes[3]);
    header.flags = static_cast<std::uint8_t>(bytes[4]);
    const std::uint32_t stream = big_endian(bytes.substr(5, 4));
    header.reserved = stream >> 31 != 0;
    header.stream = stream & 0x7fff'ffff;
    return header;
}

bool is_regular(const FrameHeader& header) {
    if (header.reserved) {
        return false;
    }
    constexpr std::uint32_t kLargestControl = 16384;
    const bool of_stream = header.stream != 0;
    switch (header.type) {
        case FrameType::data:
            return of_stream && only(header, kEndStream | kPadded);
        case FrameType::headers:
            return of_stream && only(header, kEndStream | kEndHeaders | kPadded | kPriority) && header.length > 0;
        case FrameType::priority:
            return of_stream && header.flags == 0 && header.length == 5;
        case FrameType::rst_stream:
            return of_stream && header.flags == 0 && header.length == 4;
        case FrameType::settings:
            return !of_stream && only(header, kEndStream) && header.length % 6 == 0 && header.length <= 6 * 64 &&
                   (!header.has(kEndStream) || header.length == 0);
        case FrameType::push_promise:
            return of_stream && only(header, kEndHeaders | kPadded) && header.length > 4;
        case FrameType::ping:
            return !of_stream && only(header, kEndStream) && header.length == 8;
        case FrameType::goaway:
            return !of_stream && header.flags == 0 && header.length >= 8 && header.length <= kLargestControl;
        case FrameType::window_update:
            return header.flags == 0 && header.length == 4;
        case FrameType::continuation:
            return of_stream && only(header, kEndHeaders);
        case FrameType::alternative_service:
            return header.flags == 0 && header.length >= 2 && header.length <= kLargestControl;
        case FrameType::origin:
            return !of_stream && header.flags == 0 && header.length <= kLargestControl;
        case FrameType::priority_update:
            return !of_stream && header.flags == 0 && header.length >= 4 && header.length <= kLargestControl;
    }
    return false;
}

FrameChain frame_chain(std::string_view bytes, std::uint32_t latest) {
    FrameChain chain;
    while (bytes.size() >= kHeaderBytes) {
        const FrameHeader header = frame_header(bytes);
        if (!is_likely(header, latest)) {
            chain.broken = true;
            return chain;
        }
        if (bytes.size() - kHeaderBytes < header.length) {
            return chain;
        }
        if (header.type == FrameType::settings && !header.has(kEndStream)) {
            if (!has_known_settings(bytes.substr(kHeaderBytes, header.length))) {
                chain.broken = true;
                return chain;
            }
            chain.settings = chain.settings || chain.whole == 0;
        }
        chain.headers = chain.headers || (header.type == FrameType::headers && header.has(kEndHeaders) && header.stream % 2 == 1);
        ++chain.whole;
        bytes.remove_prefix(kHeaderBytes + header.length);
    }
    chain.exact = chain.whole > 0 && bytes.empty();
    // The begin of a header, as far as it goes: no frame of a megabyte or more.
    chain.broken = !bytes.empty() && static_cast<unsigned char>(bytes.front()) > 0x0f;
    return chain;
}

}  // namespace timesink::proto::http2
