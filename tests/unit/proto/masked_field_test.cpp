#include "proto/http2/masked_field.hpp"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proto/http2/header_block.hpp"

namespace timesink::proto::http2 {
namespace {

using FieldList = std::vector<std::pair<std::string, std::string>>;

/// One end of a connection, as its library compresses.
class Peer {
public:
    Peer() { (void)nghttp2_hd_deflate_new(&deflater_, 4096); }
    ~Peer() { nghttp2_hd_deflate_del(deflater_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    std::string block(const FieldList& fields) {
        std::vector<nghttp2_nv> list;
        for (const auto& [name, value] : fields) {
            list.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
        }
        std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
        const ssize_t size = nghttp2_hd_deflate_hd(deflater_, bytes(out), out.size(), list.data(), list.size());
        out.resize(static_cast<std::size_t>(size));
        return out;
    }

private:
    static std::uint8_t* bytes(const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    }
    nghttp2_hd_deflater* deflater_ = nullptr;
};

/// Masks all that can be masked, and keeps the image.
class Image final : public Sink {
public:
    explicit Image(std::size_t size) : bytes(size, 'x') {}
    void head(const Head&) override {}
    void end(const End&) override {}
    void upgraded(std::string_view) override {}
    void lost_sync(Direction, std::uint64_t) override {}
    [[nodiscard]] bool redacts() const override { return true; }
    [[nodiscard]] std::string masked(std::string_view text, Kept kind) const override {
        std::string out(text);
        const std::size_t shown = kind == Kept::target ? text.find('=') + 1 : text.find(':') + 1;
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(shown), out.end(), 'x');
        return out;
    }
    void keep(Direction, std::uint64_t position, std::string_view text, Kept) override {
        bytes.replace(static_cast<std::size_t>(position), text.size(), text);
    }
    std::string bytes;
};

/// Blocks of a connection on which many values are added to the table, so that entries fall out of it.
TEST(MaskedField, KeepsTablesInStepOverManyBlocks) {
    std::mt19937 random(7);
    const auto text = [&random](std::size_t most, int kind) {
        std::string out;
        for (std::size_t left = random() % most; left > 0; --left) {
            const char printable = static_cast<char>(' ' + random() % 95);
            const char lower = static_cast<char>('a' + random() % 26);
            const auto any = static_cast<char>(random() % 255 + 1);
            out.push_back(kind == 0 ? lower : kind == 1 ? printable : any);
        }
        return out;
    };
    Peer peer;
    HeaderBlocks plain;
    HeaderBlocks masked;
    plain.fresh();
    masked.fresh();
    std::vector<std::string> secrets;
    for (int round = 0; round < 400; ++round) {
        FieldList fields = {{":method", "GET"}, {":path", "/items?q=" + text(40, 0)}, {":authority", "shop.example"}};
        for (int field = 0; field < 5; ++field) {
            fields.emplace_back("x-field-" + std::to_string(random() % 20), "secret" + text(60, field % 3));
        }
        const std::string block = peer.block(fields);
        Image image(block.size());
        Block before(Direction::request);
        plain.add(block, 0, true, before, image);
        ASSERT_FALSE(before.cut);
        ASSERT_EQ(image.bytes.size(), block.size());
        Block after(Direction::request);
        Image again(block.size());
        masked.add(image.bytes, 0, true, after, again);
        ASSERT_FALSE(after.cut) << "round " << round;
        EXPECT_EQ(after.method, "GET");
        EXPECT_EQ(after.authority, "shop.example");
        EXPECT_EQ(after.path.substr(0, 9), before.path.substr(0, 9));
    }
}

TEST(MaskedField, IsOfTheSameLengthInPiecesToo) {
    Peer peer;
    const std::string block =
        peer.block({{":method", "POST"}, {"x-token", "a secret of some length"}, {"x-other", "\"{}\\<>^|"}});
    Image whole(block.size());
    Block before(Direction::request);
    HeaderBlocks at_once;
    at_once.fresh();
    at_once.add(block, 0, true, before, whole);
    for (std::size_t cut = 1; cut < block.size(); ++cut) {
        Image image(block.size());
        Block read(Direction::request);
        HeaderBlocks blocks;
        blocks.fresh();
        blocks.add(std::string_view(block).substr(0, cut), 0, false, read, image);
        blocks.add(std::string_view(block).substr(cut), cut, true, read, image);
        EXPECT_EQ(image.bytes, whole.bytes) << "cut at " << cut;
        EXPECT_FALSE(read.cut);
    }
}

TEST(MaskedField, MasksWhatIsNoFieldWholly) {
    EXPECT_EQ(masked_field("\x40\x7f", "value", "xxxxx"), "xx");
    EXPECT_EQ(masked_field("\x41\x05value", "value", "xxxxx"), "\x41\x05xxxxx");
    EXPECT_EQ(masked_field("\x82", "GET", "xxx"), "\x82");
}

}  // namespace
}  // namespace timesink::proto::http2
