#include "redact/compress.hpp"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace timesink::redact {
namespace {

std::optional<std::string> by_zlib(std::string_view text, std::size_t size, int window) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        return std::nullopt;
    }
    std::string out(size, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(size);
    const int state = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    return state == Z_STREAM_END ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> by_zstd(std::string_view text, std::size_t size) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    const std::size_t used = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 19);
    if (ZSTD_isError(used) != 0 || used > size) {
        return std::nullopt;
    }
    out.resize(used);
    out.resize(size, '\0');
    return out;
}

/// Behind the last block nothing may follow: what fills the room are bytes that are skipped (RFC 7932 section 9.2), ahead of it.
std::optional<std::string> by_brotli(std::string_view text, std::size_t size, std::size_t filling) {
    const std::unique_ptr<BrotliEncoderState, void (*)(BrotliEncoderState*)> encoder(
        BrotliEncoderCreateInstance(nullptr, nullptr, nullptr), BrotliEncoderDestroyInstance);
    std::string out(size, '\0');
    auto* to = reinterpret_cast<std::uint8_t*>(out.data());
    std::size_t room = size;
    const auto give = [&](BrotliEncoderOperation operation, std::string_view in) {
        const auto* from = reinterpret_cast<const std::uint8_t*>(in.data());
        std::size_t left = in.size();
        do {
            if (BrotliEncoderCompressStream(encoder.get(), operation, &left, &from, &room, &to, nullptr) == BROTLI_FALSE) {
                return false;
            }
        } while (room > 0 && (left > 0 || BrotliEncoderHasMoreOutput(encoder.get()) != BROTLI_FALSE));
        return left == 0;
    };
    const std::string fill(filling, '\0');
    const bool made = encoder != nullptr && (filling == 0 || give(BROTLI_OPERATION_EMIT_METADATA, fill)) &&
                      give(BROTLI_OPERATION_FINISH, text) && BrotliEncoderIsFinished(encoder.get()) != BROTLI_FALSE;
    out.resize(size - room);
    return made ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> by_brotli_exactly(std::string_view text, std::size_t size) {
    constexpr std::size_t kMostOverhead = 8;  // of what is skipped
    auto shortest = by_brotli(text, size, 0);
    if (!shortest || shortest->size() == size) {
        return shortest;
    }
    const std::size_t left = size - shortest->size();
    for (std::size_t overhead = 1; overhead <= std::min(kMostOverhead, left - 1); ++overhead) {
        auto filled = by_brotli(text, size, left - overhead);
        if (filled && filled->size() == size) {
            return filled;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> compressed(std::string_view encoding, std::string_view text, std::size_t size) {
    constexpr int kGzip = MAX_WBITS + 16;  // zlib's manual, deflateInit2
    if (encoding == "gzip" || encoding == "x-gzip") {
        return by_zlib(text, size, kGzip);
    }
    if (encoding == "deflate") {
        return by_zlib(text, size, MAX_WBITS);
    }
    if (encoding == "br") {
        return by_brotli_exactly(text, size);
    }
    return encoding == "zstd" ? by_zstd(text, size) : std::nullopt;
}

}  // namespace timesink::redact
