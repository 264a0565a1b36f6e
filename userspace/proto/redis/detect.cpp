#include <algorithm>
#include <string>
#include <string_view>

#include "base/ascii.hpp"
#include "proto/lines.hpp"
#include "proto/redis/command_reader.hpp"
#include "proto/redis/redis.hpp"
#include "proto/redis/reply_reader.hpp"
#include "proto/redis/value.hpp"

namespace timesink::proto::redis {
namespace {

Match detect_command(std::string_view text, std::span<const std::byte> bytes) {
    if (!text.starts_with('*')) {
        const std::size_t end = text.find("\r\n");
        const std::string name = upper(text.substr(0, std::min(text.find_first_of(" \r"), text.size())));
        const bool is_http = text.substr(0, end).find(" HTTP/") != std::string_view::npos;
        // "QUIT" is said to many kinds of server.
        return end != std::string_view::npos && is_remarkable(name) && name != "QUIT" && !is_http ? Match::yes : Match::no;
    }
    if (text.size() > 1 && (text[1] < '0' || text[1] > '9')) {
        return Match::no;  // lengths of binary protocols may begin with this byte
    }
    Value value;
    CommandReader reader;
    value.begin();
    value.take(bytes, reader);
    if (value.invalid() || reader.malformed()) {
        return Match::no;
    }
    return reader.named() ? Match::yes : Match::maybe;
}

bool ends_in_crlf(std::string_view text) {
    const std::size_t end = text.find('\n');
    return end != std::string_view::npos && end > 0 && text[end - 1] == '\r';
}

/// A reply's first line, stricter than the parser takes it: a single byte of type is little to go by.
bool is_plausible(char type, std::string_view line) {
    const auto only = [line](std::string_view characters) {
        return line.find_first_not_of(characters) == std::string_view::npos;
    };
    switch (type) {
        case '+':
            return !line.empty() && std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
        case '-':
            return line.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 0 &&
                   std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
        case '#':
            return line == "t" || line == "f";
        case '_':
            return line.empty();
        case ',':
            return !line.empty() && only("0123456789+-.eEinfa");
        default:
            return !line.empty() && only("0123456789+-?");
    }
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    const std::string_view text = as_text(bytes);
    if (text.empty()) {
        return Match::maybe;
    }
    if (direction == Direction::request) {
        return detect_command(text, bytes);
    }
    Value value;
    ReplyReader reader;
    value.begin();
    value.take(bytes, reader);
    if (value.invalid()) {
        return Match::no;
    }
    if (reader.type() == 0) {
        return std::string_view("+-:,(#_$!=*~>%|").find(text.front()) != std::string_view::npos ? Match::maybe : Match::no;
    }
    return ends_in_crlf(text) && is_plausible(reader.type(), reader.text()) ? Match::yes : Match::no;
}

}  // namespace timesink::proto::redis
