#include "redact/compress.hpp"

#include <zlib.h>
#include <zstd.h>

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

}  // namespace

std::optional<std::string> compressed(std::string_view encoding, std::string_view text, std::size_t size) {
    constexpr int kGzip = MAX_WBITS + 16;  // zlib's manual, deflateInit2
    if (encoding == "gzip" || encoding == "x-gzip") {
        return by_zlib(text, size, kGzip);
    }
    if (encoding == "deflate") {
        return by_zlib(text, size, MAX_WBITS);
    }
    return encoding == "zstd" ? by_zstd(text, size) : std::nullopt;
}

}  // namespace timesink::redact
