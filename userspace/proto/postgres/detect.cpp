#include <string_view>

#include "proto/lines.hpp"
#include "proto/postgres/parser.hpp"

namespace timesink::proto::postgres {
namespace {

bool opens_connection(std::string_view text) {
    const std::uint32_t length = big_endian_32(text);
    const std::uint32_t code = big_endian_32(text.substr(4));
    return length >= 8 && length <= 10'000 && (code == 3 << 16 || (code >= kCancelRequest && code <= kGssEncryptionRequest));
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    std::string_view rest = as_text(bytes);
    if (direction == Direction::request && rest.starts_with(kOpening)) {
        return rest.size() < 8 ? Match::maybe : opens_connection(rest) ? Match::yes : Match::no;
    }
    std::size_t messages = 0;
    while (rest.size() >= 5) {
        const std::uint32_t length = big_endian_32(rest.substr(1));
        if (!plausible(direction, rest.front(), length) || length >= kBelievable) {
            return Match::no;
        }
        ++messages;
        const char type = rest.front();
        const bool ends_batch = direction == Direction::request ? type == 'S' || type == 'Q' : type == 'Z';
        if (length + 1 >= rest.size()) {
            // Whole messages up to the very end, or the text of a query: chance does not do that.
            const bool text = type == 'Q' && rest.size() > 6 && static_cast<unsigned char>(rest[5]) >= 0x20;
            return (length + 1 == rest.size() && (messages > 1 || ends_batch)) || text || messages > 2 ? Match::yes
                                                                                                       : Match::maybe;
        }
        rest.remove_prefix(length + 1);
    }
    if (messages > 2) {
        return Match::yes;
    }
    if (rest.empty()) {
        return Match::maybe;
    }
    return is_type(direction, rest.front()) ? Match::maybe : Match::no;
}

}  // namespace timesink::proto::postgres
