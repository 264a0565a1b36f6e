#include "golden/words.hpp"

#include <charconv>

#include "records/wire.hpp"

namespace timesink::golden {
namespace {

namespace postgres = records::postgres;

int hex_digit(char digit) {
    const int value = digit >= '0' && digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
    if (value < 0 || value > 15) {
        throw Mistake{"\\x wants two hexadecimal digits"};
    }
    return value;
}

/// `at` is behind the opening quote and ends behind the closing one.
std::string unquote(std::string_view line, std::size_t& at) {
    std::string text;
    while (at < line.size() && line[at] != '"') {
        char byte = line[at++];
        if (byte == '\\' && at < line.size()) {
            static constexpr std::string_view kNames = "rnt0\"\\";
            static constexpr std::string_view kBytes{"\r\n\t\0\"\\", 6};
            byte = line[at++];
            if (byte == 'x' && at + 2 <= line.size()) {
                byte = static_cast<char>(hex_digit(line[at]) * 16 + hex_digit(line[at + 1]));
                at += 2;
            } else if (const std::size_t index = kNames.find(byte); index != std::string_view::npos) {
                byte = kBytes[index];
            } else {
                throw Mistake{std::string("unknown escape \\") + byte};
            }
        }
        text += byte;
    }
    if (at == line.size()) {
        throw Mistake{"a string without its end"};
    }
    ++at;
    return text;
}

std::string take_http(Words& words) {
    const std::string start = words.quoted("the start line");
    std::vector<std::string> fields;
    while (words.peek() != nullptr && words.peek()->string) {
        fields.push_back(words.quoted("a field"));
    }
    const std::size_t body = words.accept("body") ? static_cast<std::size_t>(words.number("the body's size")) : 0;
    return records::http::message(start, fields, body);
}

std::string take_redis(Words& words) {
    std::vector<std::string> command;
    while (words.peek() != nullptr && words.peek()->string) {
        command.push_back(words.quoted("a word of the command"));
    }
    return records::redis::command(command);
}

/// Messages without arguments.
const std::pair<std::string_view, std::string (*)()> kPostgres[] = {
    {"Execute", postgres::execute},
    {"Sync", postgres::sync},
    {"T", [] { return postgres::row_description(); }},
    {"D", [] { return postgres::data_row(); }},
    {"C", [] { return postgres::command_complete(); }},
    {"Z", [] { return postgres::ready(); }},
    {"Ztransaction", [] { return postgres::ready('T'); }},
    {"1", [] { return postgres::message('1'); }},
    {"2", [] { return postgres::message('2'); }},
    {"n", [] { return postgres::message('n'); }},
};

std::optional<std::string> take_part(Words& words) {
    if (words.peek() != nullptr && words.peek()->string) {
        return words.quoted("bytes");
    }
    if (words.accept("zeros")) {
        return std::string(static_cast<std::size_t>(words.number("how many")), '\0');
    }
    if (words.accept("http")) {
        return take_http(words);
    }
    if (words.accept("redis")) {
        return take_redis(words);
    }
    if (words.accept("Query")) {
        return postgres::query(words.quoted("the statement"));
    }
    if (words.accept("Parse")) {
        const std::string name = words.quoted("the statement's name");
        return postgres::parse(name, words.quoted("the statement"));
    }
    if (words.accept("Bind")) {
        return postgres::bind(words.quoted("the statement's name"));
    }
    if (words.accept("Describe")) {
        return postgres::describe(words.quoted("the statement's name"));
    }
    if (words.accept("Error")) {
        return postgres::error(words.quoted("the SQLSTATE"));
    }
    for (const auto& [name, make] : kPostgres) {
        if (words.accept(name)) {
            return make();
        }
    }
    return std::nullopt;
}

}  // namespace

std::vector<Word> split(std::string_view line) {
    std::vector<Word> words;
    std::size_t at = 0;
    while (at < line.size() && line[at] != '#') {
        if (line[at] == ' ' || line[at] == '\t') {
            ++at;
        } else if (line[at] == '"') {
            words.push_back({unquote(line, ++at), true});
        } else {
            const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
            words.push_back({std::string(line.substr(at, end - at)), false});
            at = end;
        }
    }
    return words;
}

std::int64_t integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size()) {
        throw Mistake{"'" + std::string(text) + "' is not a number"};
    }
    return value;
}

std::uint64_t milliseconds(std::string_view text) {
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    const std::string decimals(point < text.size() ? text.substr(point + 1) : "");
    if (decimals.size() > 6) {
        throw Mistake{"'" + std::string(text) + "' has more than 6 decimals"};
    }
    digits += decimals + std::string(6 - decimals.size(), '0');
    const std::int64_t value = integer(digits);
    if (value < 0) {
        throw Mistake{"'" + std::string(text) + "' is before the start"};
    }
    return static_cast<std::uint64_t>(value);
}

std::optional<std::string> take_payload(Words& words) {
    std::optional<std::string> payload = take_part(words);
    while (payload) {
        const auto more = take_part(words);
        if (!more) {
            break;
        }
        *payload += *more;
    }
    return payload;
}

}  // namespace timesink::golden
