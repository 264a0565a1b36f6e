#include <algorithm>
#include <string>
#include <string_view>

#include "proto/http2/frame.hpp"
#include "proto/http2/http2.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::http2 {

namespace {

/// A header without its last byte.
bool may_begin(std::string_view text) {
    std::string header(text);
    header.push_back('\1');
    const bool of_stream = is_regular(frame_header(header));
    header.back() = '\0';
    return of_stream || is_regular(frame_header(header));
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    if (direction == Direction::request && !text.empty() && text.front() == 'P') {
        const std::size_t size = std::min(text.size(), kPreface.size());
        constexpr std::size_t kUnmistakable = 16;  // the line that HTTP/1 reserves for this
        return text.substr(0, size) != kPreface.substr(0, size) ? Match::no : size >= kUnmistakable ? Match::yes : Match::maybe;
    }
    if (text.size() < kHeaderBytes) {
        // A length below 64 KiB and a type, as far as they go.
        const bool may = (text.empty() || text[0] == '\0') && (text.size() < 4 || static_cast<unsigned char>(text[3]) <= 0x10);
        return may && (text.size() < 8 || may_begin(text)) ? Match::maybe : Match::no;
    }
    const FrameChain chain = frame_chain(text, 0);
    if (chain.broken) {
        return Match::no;
    }
    // In the middle of a connection: frames one behind the other, or one that ends with the call.
    if (chain.settings || chain.whole >= 2 || (chain.exact && (chain.headers || chain.whole == 1))) {
        return Match::yes;
    }
    return Match::maybe;
}

}  // namespace timesink::proto::http2
