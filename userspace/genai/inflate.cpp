#include "genai/inflate.hpp"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace timesink::genai {

namespace {

constexpr std::size_t kStep = std::size_t{16} * 1024;
constexpr int kAnyWrapper = MAX_WBITS + 32;  // zlib's manual, inflateInit2: gzip or zlib, told by the header
constexpr int kBare = -MAX_WBITS;

std::optional<std::string> by_zlib(std::string_view bytes, int window) {
    z_stream stream{};
    if (inflateInit2(&stream, window) != Z_OK) {
        return std::nullopt;
    }
    const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    std::array<char, kStep> piece{};
    int state = Z_OK;
    while (state == Z_OK && out.size() <= kMostInflated) {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = kStep;
        state = ::inflate(&stream, Z_NO_FLUSH);
        out.append(piece.data(), kStep - stream.avail_out);
    }
    return state == Z_STREAM_END && out.size() <= kMostInflated ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> by_zstd(std::string_view bytes) {
    const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
    if (context == nullptr) {
        return std::nullopt;
    }
    // A frame may ask for a window of any size: RFC 8878 section 3.1.1.1.2 recommends 8 MB as what decoders support.
    constexpr int kWindowLog = 23;
    (void)ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLog);
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::string out;
    std::array<char, kStep> piece{};
    std::size_t more = 1;
    while (more != 0 && out.size() <= kMostInflated) {
        ZSTD_outBuffer to{piece.data(), piece.size(), 0};
        const std::size_t before = in.pos;
        more = ZSTD_decompressStream(context.get(), &to, &in);
        if (ZSTD_isError(more) != 0 || (to.pos == 0 && in.pos == before)) {
            return std::nullopt;
        }
        out.append(piece.data(), to.pos);
    }
    return more == 0 && out.size() <= kMostInflated ? std::optional(std::move(out)) : std::nullopt;
}

/// RFC 7932. Its window is 16 MiB at most: larger ones must be asked for.
std::optional<std::string> by_brotli(std::string_view bytes) {
    const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> decoder(
        BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
    if (decoder == nullptr) {
        return std::nullopt;
    }
    const auto* in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    std::string out;
    std::array<std::uint8_t, kStep> piece{};
    BrotliDecoderResult state = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    while (state == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out.size() <= kMostInflated) {
        std::size_t room = kStep;
        std::uint8_t* to = piece.data();
        state = BrotliDecoderDecompressStream(decoder.get(), &left, &in, &room, &to, nullptr);
        out.append(reinterpret_cast<const char*>(piece.data()), kStep - room);
    }
    const bool whole = state == BROTLI_DECODER_RESULT_SUCCESS && left == 0;
    return whole && out.size() <= kMostInflated ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::optional<std::string> inflate(std::string_view content_encoding, std::string_view bytes) {
    if (bytes.empty()) {
        return std::nullopt;
    }
    if (content_encoding == "gzip" || content_encoding == "x-gzip") {
        return by_zlib(bytes, kAnyWrapper);
    }
    if (content_encoding == "deflate") {  // RFC 9110 section 8.4.1.2: some send it without zlib's wrapper
        auto wrapped = by_zlib(bytes, kAnyWrapper);
        return wrapped ? wrapped : by_zlib(bytes, kBare);
    }
    if (content_encoding == "br") {
        return by_brotli(bytes);
    }
    return content_encoding == "zstd" ? by_zstd(bytes) : std::nullopt;
}

}  // namespace timesink::genai
