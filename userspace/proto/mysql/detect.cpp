#include <string_view>

#include "base/ascii.hpp"
#include "proto/lines.hpp"
#include "proto/mysql/mysql.hpp"
#include "proto/mysql/packet.hpp"

namespace timesink::proto::mysql {
namespace {

constexpr std::uint64_t kLongestLogin = std::uint64_t{64} * 1024;

/// Of a packet: how much is known.
struct First {
    std::uint64_t length;
    std::uint8_t sequence;
    std::string_view payload;  ///< as far as it goes
    bool exact;                ///< it ends with the bytes
};

First first_of(std::string_view text) {
    Reader reader(text);
    First first{};
    first.length = reader.little<3>();
    first.sequence = reader.byte();
    first.payload = reader.rest().substr(0, first.length);
    first.exact = reader.rest().size() == first.length;
    return first;
}

bool is_statement(std::string_view text) {
    const std::size_t letter = text.find_first_not_of(" \t\r\n(");
    if (letter == std::string_view::npos) {
        return false;
    }
    const char c = text[letter];
    const bool word = is_letter(c) || c == '/' || c == '-' || c == '#';
    const std::string_view begin = text.substr(letter, 24);
    return word && is_printable(begin.substr(0, begin.find_first_of("\t\r\n")));
}

Match detect_command(const First& first) {
    if (first.sequence == 1) {
        const bool new_enough =
            first.payload.size() < 2 || (static_cast<unsigned char>(first.payload[1]) & kProtocol41 >> 8) != 0;
        const bool may = first.length >= 32 && first.length < kLongestLogin && new_enough;
        return is_login(first.payload, first.length) ? Match::yes : may && first.payload.size() < 32 ? Match::maybe : Match::no;
    }
    if (first.sequence != 0 || first.length == 0) {
        return Match::no;
    }
    if (first.payload.empty()) {
        return Match::maybe;
    }
    const std::string_view rest = first.payload.substr(1);
    switch (static_cast<Command>(first.payload.front())) {
        case Command::query:
        case Command::prepare:
            if (rest.empty()) {
                return first.length > 1 ? Match::maybe : Match::no;
            }
            if (!is_statement(rest)) {
                return Match::no;
            }
            return first.exact || rest.size() >= 24 ? Match::yes : first.payload.size() < first.length ? Match::maybe : Match::no;
        case Command::execute: {
            if (first.length < 10 || (rest.size() >= 9 && rest.substr(5, 4) != std::string_view("\1\0\0\0", 4))) {
                return Match::no;
            }
            return first.exact ? Match::yes : first.payload.size() < first.length ? Match::maybe : Match::no;
        }
        case Command::quit:
        case Command::ping:
        case Command::reset_connection:
        case Command::statistics:
            return first.length == 1 && first.exact ? Match::yes : Match::no;
        case Command::close_statement:
        case Command::reset_statement:
            return first.length != 5 || rest.size() > 4 ? Match::no : first.exact ? Match::yes : Match::maybe;
        default:
            return Match::no;
    }
}

Match detect_answer(std::string_view text, const First& first) {
    if (first.payload.empty()) {
        return first.length > 0 && first.sequence <= 1 ? Match::maybe : Match::no;
    }
    const bool short_of = first.payload.size() < first.length;
    if (first.sequence == 0 && first.payload.front() == 10) {
        const bool version = first.payload.size() < 2 || is_greeting(first.payload);
        const bool size = first.length >= 32 && first.length < 512;
        return !version || !size ? Match::no : first.exact ? Match::yes : short_of ? Match::maybe : Match::no;
    }
    if (first.payload.front() == kError) {
        const bool state = first.payload.size() <= 3 || first.payload[3] == '#' || first.sequence == 0;
        return !state || first.length < 9 || first.length > 1024      ? Match::no
               : first.exact && is_printable(first.payload.substr(3)) ? Match::yes
               : short_of                                             ? Match::maybe
                                                                      : Match::no;
    }
    if (first.sequence != 1) {
        return Match::no;
    }
    if (first.payload.front() == kOk) {
        const bool size = first.length >= 7 && first.length < 256;
        return !size                                                 ? Match::no
               : first.exact && ok_of(first.payload).status < 0x8000 ? Match::yes
               : short_of                                            ? Match::maybe
                                                                     : Match::no;
    }
    // A result set: how many columns, and the first of them.
    constexpr std::string_view kCatalogue =
        "\x03"
        "def";
    const std::string_view next = text.substr(std::min<std::size_t>(text.size(), kHeaderBytes + first.length));
    if (first.length > 9 || first.length == 0) {
        return Match::no;
    }
    if (next.size() < 8) {
        return short_of || next.empty() || next.size() < 4 || next[3] == 2 ? Match::maybe : Match::no;
    }
    return next[3] == 2 && next.substr(4, 4) == kCatalogue ? Match::yes : Match::no;
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    if (text.size() < kHeaderBytes) {
        // Nobody begins with a packet of a megabyte.
        return text.size() < 3 || static_cast<unsigned char>(text[2]) < 0x10 ? Match::maybe : Match::no;
    }
    const First first = first_of(text);
    return direction == Direction::request ? detect_command(first) : detect_answer(text, first);
}

}  // namespace timesink::proto::mysql
