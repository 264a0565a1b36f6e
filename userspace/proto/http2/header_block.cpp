#include "proto/http2/header_block.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "proto/http2/masked_field.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::http2 {
namespace {

constexpr std::size_t kLongestPath = 8192;  // as of a request line of HTTP/1
constexpr std::size_t kLongestValue = 512;
/// Of a table whose history is unknown. Peers keep 4 KiB unless told otherwise (RFC 7541 section 4.2); a field that is larger
/// than their table, but not than ours, empties theirs: what they name afterwards is newer, and stands in ours at the same place.
constexpr std::size_t kUnknownTable = std::size_t{16} * 1024;
constexpr std::size_t kUnknownEntries = 4096 / 32;  // more do not fit the ordinary table

bool inflate(nghttp2_hd_inflater* inflater, std::string_view& rest, bool last, nghttp2_nv& field, int& flags) {
    const ssize_t read = nghttp2_hd_inflate_hd2(inflater, &field, &flags, reinterpret_cast<const std::uint8_t*>(rest.data()),
                                                rest.size(), last ? 1 : 0);
    if (read < 0) {
        return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(read));
    return true;
}

/// A block that fills the table with fields without name and value: size update (RFC 7541 section 6.3), then literals with
/// incremental indexing (section 6.2.1).
std::string unknown_history() {
    std::string block = "\x3f";
    std::size_t rest = kUnknownTable - 31;
    for (; rest >= 128; rest /= 128) {
        block.push_back(static_cast<char>(rest % 128 + 128));
    }
    block.push_back(static_cast<char>(rest));
    for (std::size_t entry = 0; entry < kUnknownEntries; ++entry) {
        block.append("\x40\0\0", 3);
    }
    return block;
}

}  // namespace

void Block::clear() {
    method.clear();
    path.clear();
    path_truncated = hidden = cut = false;
    authority.clear();
    content_type.clear();
    status = 0;
    grpc_status = -1;
    fields.clear();
}

HeaderBlocks::~HeaderBlocks() {
    if (inflater_ != nullptr) {
        nghttp2_hd_inflate_del(inflater_);
    }
}

void HeaderBlocks::fresh() {
    lost();
    known_ = true;
}

void HeaderBlocks::lost() {
    if (inflater_ != nullptr) {
        nghttp2_hd_inflate_del(inflater_);
    }
    inflater_ = nullptr;
    known_ = false;
}

void HeaderBlocks::cut(bool over) {
    lost();
    unreadable_ = !over;
    fields_ = 0;
    places_.clear();
    raw_.clear();
}

void HeaderBlocks::prepare() {
    if (inflater_ != nullptr || nghttp2_hd_inflate_new(&inflater_) != 0) {
        return;
    }
    (void)nghttp2_hd_inflate_change_table_size(inflater_, kLargestTable);
    if (known_) {
        return;
    }
    static const std::string kHistory = unknown_history();
    std::string_view rest = kHistory;
    nghttp2_nv field;
    int flags = 0;
    do {
        flags = 0;
    } while (inflate(inflater_, rest, true, field, flags) && (flags & NGHTTP2_HD_INFLATE_FINAL) == 0);
    (void)nghttp2_hd_inflate_end_headers(inflater_);
}

/// A field was read: its representation is as long as before, whatever is masked in it.
void HeaderBlocks::keep(Direction direction, std::string_view name, std::string_view value, Sink& sink) {
    std::string_view masked_value = value;
    std::string line;
    if (name == ":path") {
        line = sink.masked(value, Kept::target);
        masked_value = line;
    } else if (!name.starts_with(':') && name != "grpc-status") {
        line.append(name).append(":").append(value);
        line = sink.masked(line, Kept::field);
        masked_value = std::string_view(line).substr(name.size() + 1);
    }
    const std::string masked = masked_field(raw_, value, masked_value);
    std::string_view rest = masked;
    for (const Place& place : places_) {
        sink.keep(direction, place.position, rest.substr(0, place.bytes), Kept::structure);
        rest.remove_prefix(std::min(place.bytes, rest.size()));
    }
}

void HeaderBlocks::add(std::string_view piece, std::uint64_t position, bool last, Block& block, Sink& sink) {
    prepare();
    const std::string_view whole = piece;
    unreadable_ = unreadable_ || inflater_ == nullptr;
    while (!unreadable_) {
        nghttp2_nv found;
        int flags = 0;
        const std::size_t before = piece.size();
        if (!inflate(inflater_, piece, last, found, flags)) {
            unreadable_ = block.cut = true;
            lost();
            break;
        }
        if (sink.redacts() && before > piece.size()) {
            places_.push_back({position + (whole.size() - before), before - piece.size()});
            raw_.append(whole.substr(whole.size() - before, before - piece.size()));
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && sink.redacts()) {
            keep(block.fields.direction(), {reinterpret_cast<const char*>(found.name), found.namelen},
                 {reinterpret_cast<const char*>(found.value), found.valuelen}, sink);
            places_.clear();
            raw_.clear();
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && ++fields_ <= kMostFields) {
            field({reinterpret_cast<const char*>(found.name), found.namelen},
                  {reinterpret_cast<const char*>(found.value), found.valuelen}, block);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            (void)nghttp2_hd_inflate_end_headers(inflater_);
            break;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && (piece.empty() || piece.size() == before)) {
            break;
        }
    }
    if (last || unreadable_) {
        places_.clear();
        raw_.clear();
    }
    if (last) {
        unreadable_ = false;
        fields_ = 0;
        block.fields.finish();
    }
}

void HeaderBlocks::field(std::string_view name, std::string_view value, Block& block) {
    std::uint64_t number = 0;
    if (name == ":method") {
        block.method = value.substr(0, 32);
    } else if (name == ":path") {
        block.path = value.substr(0, kLongestPath);
        block.path_truncated = value.size() > kLongestPath;
    } else if (name == ":authority") {
        block.authority = value.substr(0, kLongestValue);
    } else if (name == ":status") {
        block.status = value.size() == 3 && parse_decimal(value, number) ? static_cast<int>(number) : 0;
    } else if (name.empty()) {
        block.hidden = true;
    } else if (name == "grpc-status") {
        block.grpc_status = value.size() <= 4 && parse_decimal(value, number) ? static_cast<int>(number) : 2;  // 2: UNKNOWN
    } else if (name.find_first_of(": \t\r\n") == std::string_view::npos) {
        if (name == "content-type") {
            block.content_type = value.substr(0, 64);
        }
        std::string line(name);
        line.append(": ").append(value.substr(0, kLongestPath));
        block.fields.line(line);
    }
}

}  // namespace timesink::proto::http2
