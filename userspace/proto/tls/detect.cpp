#include "proto/tls/record.hpp"
#include "proto/tls/tls.hpp"

namespace timesink::proto::tls {

namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A hello in its one direction is sure by itself: type, version and two lengths that agree.
Match detect_hello(Direction direction, std::string_view body, std::uint16_t length) {
    constexpr std::size_t kEnough = 6;
    if (body.size() < kEnough) {
        return Match::maybe;
    }
    const char type = body[0];
    const std::size_t message = static_cast<std::size_t>(static_cast<unsigned char>(body[1])) << 16 |
                                static_cast<std::size_t>(static_cast<unsigned char>(body[2])) << 8 |
                                static_cast<unsigned char>(body[3]);
    const bool expected = type == (direction == Direction::request ? 1 : 2);
    return expected && message + 4 <= length && message > 34 && body[4] == 3 && body[5] <= 3 ? Match::yes : Match::no;
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    std::string_view rest = as_text(bytes);
    if (rest.empty() || rest[0] < 20 || rest[0] > 23 || (rest.size() > 1 && rest[1] != 3)) {
        return Match::no;
    }
    for (int records = 0;; ++records) {
        if (rest.size() < kHeaderBytes) {
            return records > 0 && rest.empty() ? Match::yes : Match::maybe;
        }
        const auto header = record_header(rest);
        if (!header) {
            return Match::no;
        }
        rest.remove_prefix(kHeaderBytes);
        if (header->type == ContentType::handshake && records == 0) {
            return detect_hello(direction, rest, header->length);
        }
        if (header->minor != 3 && header->type == ContentType::application_data) {
            return Match::no;  // versions that are no longer spoken
        }
        if (rest.size() < header->length) {
            return records > 0 ? Match::yes : Match::maybe;
        }
        rest.remove_prefix(header->length);
    }
}

}  // namespace timesink::proto::tls
