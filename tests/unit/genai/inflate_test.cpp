#include "genai/inflate.hpp"

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace timesink::genai {
namespace {

std::string deflated(const std::string& text, int window) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(text.size() + 1024, '\0');
    std::string in = text;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstandard(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::string brotli(const std::string& text) {
    std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
    std::string out(size, '\0');
    EXPECT_EQ(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                                    reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                    reinterpret_cast<std::uint8_t*>(out.data())),
              BROTLI_TRUE);
    out.resize(size);
    return out;
}

TEST(Inflate, UndoesWhatIsWhole) {
    const std::string text = R"({"usage":{}})" + std::string(50000, 'x');
    EXPECT_EQ(inflate("gzip", deflated(text, 31)), text);
    EXPECT_EQ(inflate("deflate", deflated(text, 15)), text);
    EXPECT_EQ(inflate("deflate", deflated(text, -15)), text);
    EXPECT_EQ(inflate("zstd", zstandard(text)), text);
    EXPECT_EQ(inflate("br", brotli(text)), text);
}

TEST(Inflate, SaysNothingOfWhatIsNotWholeOrNotOfIt) {
    for (const auto& [encoding, bytes] : {std::pair<const char*, std::string>{"gzip", deflated("hello", 31)},
                                          {"zstd", zstandard("hello")},
                                          {"br", brotli("hello")}}) {
        for (std::size_t size = 0; size + 1 < bytes.size(); ++size) {
            EXPECT_FALSE(inflate(encoding, std::string_view(bytes).substr(0, size))) << encoding << size;
        }
    }
    EXPECT_FALSE(inflate("gzip", "not of it"));
    EXPECT_FALSE(inflate("br", "hello"));
    EXPECT_FALSE(inflate("zstd", "hello"));
}

TEST(Inflate, ABombIsNotFollowed) {
    const std::string bomb(kMostInflated * 8, '\0');
    EXPECT_FALSE(inflate("gzip", deflated(bomb, 31)));
    EXPECT_FALSE(inflate("zstd", zstandard(bomb)));
    EXPECT_FALSE(inflate("br", brotli(bomb)));
}

}  // namespace
}  // namespace timesink::genai
