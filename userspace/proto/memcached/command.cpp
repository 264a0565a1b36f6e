#include "proto/memcached/command.hpp"

#include <algorithm>
#include <array>

#include "proto/lines.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::memcached {
namespace {

constexpr std::size_t kLongestKey = 250;
constexpr std::uint64_t kLongestData = std::uint64_t{1} << 30;  // the largest item size that a server can be told

/// Words of a line; more than are kept are only counted.
struct Words {
    std::array<std::string_view, 8> word;
    std::size_t count = 0;
    std::string_view last;

    explicit Words(std::string_view line) {
        while (!line.empty()) {
            const std::size_t begin = line.find_first_not_of(' ');
            if (begin == std::string_view::npos) {
                return;
            }
            line.remove_prefix(begin);
            last = line.substr(0, line.find(' '));
            if (count < word.size()) {
                word[count] = last;
            }
            ++count;
            line.remove_prefix(last.size());
        }
    }
};

struct Known {
    std::string_view name;
    Answer answer;
    std::size_t least;    ///< words, itself included
    std::size_t most;     ///< with "noreply"
    std::size_t key_at;   ///< 0: none
    std::size_t data_at;  ///< 0: none
    bool housekeeping;
};
constexpr std::size_t kAny = ~std::size_t{0};
constexpr std::array<Known, 26> kCommands = {{
    {"get", Answer::values, 2, kAny, 1, 0, false},      {"gets", Answer::values, 2, kAny, 1, 0, false},
    {"gat", Answer::values, 3, kAny, 2, 0, false},      {"gats", Answer::values, 3, kAny, 2, 0, false},
    {"set", Answer::line, 5, 6, 1, 4, false},           {"add", Answer::line, 5, 6, 1, 4, false},
    {"replace", Answer::line, 5, 6, 1, 4, false},       {"append", Answer::line, 5, 6, 1, 4, false},
    {"prepend", Answer::line, 5, 6, 1, 4, false},       {"cas", Answer::line, 6, 7, 1, 4, false},
    {"delete", Answer::line, 2, 4, 1, 0, false},        {"incr", Answer::line, 3, 4, 1, 0, false},
    {"decr", Answer::line, 3, 4, 1, 0, false},          {"touch", Answer::line, 3, 4, 1, 0, false},
    {"mg", Answer::meta, 2, kAny, 1, 0, false},         {"ms", Answer::meta, 3, kAny, 1, 2, false},
    {"md", Answer::meta, 2, kAny, 1, 0, false},         {"ma", Answer::meta, 2, kAny, 1, 0, false},
    {"me", Answer::meta, 2, kAny, 1, 0, true},          {"mn", Answer::line, 1, 1, 0, 0, true},
    {"stats", Answer::list, 1, 6, 0, 0, true},          {"flush_all", Answer::line, 1, 3, 0, 0, false},
    {"version", Answer::line, 1, 1, 0, 0, true},        {"verbosity", Answer::line, 2, 3, 0, 0, true},
    {"cache_memlimit", Answer::line, 2, 3, 0, 0, true}, {"quit", Answer::line, 1, 1, 0, 0, true},
}};

const Known* find(std::string_view name) {
    const auto found =
        std::find_if(kCommands.begin(), kCommands.end(), [name](const Known& known) { return known.name == name; });
    return found == kCommands.end() ? nullptr : &*found;
}

bool is_key(std::string_view key) {
    return !key.empty() && key.size() <= kLongestKey && is_printable(key);
}

}  // namespace

bool is_number(std::string_view text) {
    std::uint64_t number = 0;
    return parse_decimal(text.substr(text.starts_with('-') ? 1 : 0), number);
}

std::optional<Command> command_of(std::string_view line) {
    const Words words(line);
    const Known* const known = words.count > 0 ? find(words.word[0]) : nullptr;
    if (known == nullptr || words.count < known->least || words.count > known->most || line.front() == ' ') {
        return std::nullopt;
    }
    Command command;
    command.name = known->name;
    command.answer = known->answer;
    command.housekeeping = known->housekeeping;
    if (known->key_at != 0) {
        command.key = words.word[known->key_at];
        if (!is_key(command.key)) {
            return std::nullopt;
        }
    }
    if (known->data_at != 0) {
        const bool number = parse_decimal(words.word[known->data_at], command.data) && command.data <= kLongestData;
        const bool numbers = known->answer == Answer::meta || (is_number(words.word[2]) && is_number(words.word[3]));
        if (!number || !numbers) {
            return std::nullopt;
        }
        command.has_data = true;
    }
    if (known->answer == Answer::meta) {
        for (std::size_t at = known->data_at == 0 ? 2 : 3; at < std::min(words.count, words.word.size()); ++at) {
            command.quiet = command.quiet || words.word[at] == "q";
        }
    } else {
        command.quiet = (words.count > known->least && words.last == "noreply") || command.name == "quit";
    }
    return command;
}

bool may_become_command(std::string_view begin) {
    const std::size_t end = begin.find(' ');
    if (end != std::string_view::npos) {
        return find(begin.substr(0, end)) != nullptr && is_printable(begin.substr(0, begin.find('\r')));
    }
    const std::string_view word = begin.substr(0, begin.find('\r'));
    return std::any_of(kCommands.begin(), kCommands.end(), [word](const Known& known) { return known.name.starts_with(word); });
}

std::optional<std::uint64_t> data_behind(std::string_view line) {
    const Words words(line);
    std::uint64_t size = 0;
    const bool value = words.count >= 4 && words.count <= 5 && words.word[0] == "VALUE" && parse_decimal(words.word[3], size);
    const bool meta = words.count >= 2 && words.word[0] == "VA" && parse_decimal(words.word[1], size);
    return (value || meta) && size <= kLongestData ? std::optional(size) : std::nullopt;
}

std::string_view error_of(std::string_view line) {
    for (const std::string_view word : {"ERROR", "CLIENT_ERROR", "SERVER_ERROR"}) {
        if (line.starts_with(word) && (line.size() == word.size() || line[word.size()] == ' ')) {
            return word;
        }
    }
    return {};
}

bool is_telling_answer(std::string_view line) {
    constexpr std::array<std::string_view, 9> kWhole = {"STORED", "NOT_STORED", "DELETED", "NOT_FOUND", "TOUCHED",
                                                        "END",    "HD",         "EN",      "MN"};
    const bool whole = std::find(kWhole.begin(), kWhole.end(), line) != kWhole.end();
    const bool begins = line.starts_with("CLIENT_ERROR ") || line.starts_with("SERVER_ERROR ") || line.starts_with("STAT ");
    return whole || ((begins || line.starts_with("HD ")) && is_printable(line)) || data_behind(line).has_value();
}

BinaryHeader binary_header(std::string_view bytes, bool request) {
    BinaryHeader header;
    Reader reader(bytes);
    const bool magic = reader.byte() == static_cast<unsigned char>(request ? kBinaryRequest : kBinaryResponse);
    header.opcode = reader.byte();
    header.key = static_cast<std::uint16_t>(reader.big<2>());
    header.extras = reader.byte();
    const bool type = reader.byte() == 0;
    header.status = static_cast<std::uint16_t>(reader.big<2>());
    header.body = static_cast<std::uint32_t>(reader.big<4>());
    header.opaque = static_cast<std::uint32_t>(reader.big<4>());
    const bool status = request || header.status <= 0x0008 || (header.status >= 0x0020 && header.status <= 0x0024) ||
                        (header.status >= 0x0081 && header.status <= 0x0086);
    header.valid = magic && type && status && !binary_name(header.opcode).empty() && header.key <= kLongestKey &&
                   header.extras <= 24 && header.body >= std::uint32_t{header.key} + header.extras &&
                   header.body <= kLongestData && reader.ok();
    return header;
}

std::string_view binary_name(std::uint8_t opcode) {
    constexpr std::array<std::string_view, 38> kNames = {"get",       "set",       "add",
                                                         "replace",   "delete",    "incr",
                                                         "decr",      "quit",      "flush_all",
                                                         "get",       "noop",      "version",
                                                         "get",       "get",       "append",
                                                         "prepend",   "stats",     "set",
                                                         "add",       "replace",   "delete",
                                                         "incr",      "decr",      "quit",
                                                         "flush_all", "append",    "prepend",
                                                         "verbosity", "touch",     "gat",
                                                         "gat",       "",          "sasl_list_mechs",
                                                         "sasl_auth", "sasl_step", "gat",
                                                         "gat",       ""};
    return opcode < kNames.size() ? kNames[opcode] : std::string_view{};
}

bool is_quiet(std::uint8_t opcode) {
    return opcode == 0x09 || opcode == 0x0d || (opcode >= 0x11 && opcode <= 0x1a) || opcode == 0x1e || opcode == 0x24;
}

std::string_view binary_error(std::uint16_t status) {
    switch (status) {
        case 0x0000:
        case 0x0001:  // not found
        case 0x0005:  // not stored
            return {};
        case 0x0002:
            return "KEY_EXISTS";
        case 0x0003:
            return "VALUE_TOO_LARGE";
        case 0x0004:
            return "INVALID_ARGUMENTS";
        case 0x0006:
            return "NON_NUMERIC";
        case 0x0020:
            return "AUTHENTICATION_ERROR";
        case 0x0081:
            return "UNKNOWN_COMMAND";
        case 0x0082:
            return "OUT_OF_MEMORY";
        case 0x0085:
            return "BUSY";
        default:
            return "ERROR";
    }
}

}  // namespace timesink::proto::memcached
