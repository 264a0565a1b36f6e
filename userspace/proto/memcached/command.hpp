#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace timesink::proto::memcached {

/// How the answer to a command of the text protocol ends.
enum class Answer : std::uint8_t {
    line,    ///< with its first line
    values,  ///< VALUE lines with their data, then END
    list,    ///< lines, then END (stats)
    meta,    ///< with its first line, or with the data behind a VA line
};

struct Command {
    std::string_view name;
    std::string_view key;    ///< the first, where it has keys
    std::uint64_t data = 0;  ///< bytes that follow, their line end not counted
    bool has_data = false;
    bool quiet = false;  ///< noreply, or a meta command's q
    bool housekeeping = false;
    Answer answer = Answer::line;
};
/// Decimal, with or without a sign.
bool is_number(std::string_view text);

/// Of a line without its end; none: no command.
std::optional<Command> command_of(std::string_view line);
/// Whether a command may begin so.
bool may_become_command(std::string_view begin);

/// Bytes of data behind a line of an answer ("VALUE key flags bytes", "VA bytes"); none: no data.
std::optional<std::uint64_t> data_behind(std::string_view line);
/// The first word of an error; empty: it is none.
std::string_view error_of(std::string_view line);
/// Whether a server may say so, of lines that nobody else says.
bool is_telling_answer(std::string_view line);

// The binary protocol.
inline constexpr std::size_t kBinaryHeader = 24;
inline constexpr char kBinaryRequest = '\x80';
inline constexpr char kBinaryResponse = '\x81';
struct BinaryHeader {
    std::uint8_t opcode = 0;
    std::uint16_t key = 0;     ///< length
    std::uint8_t extras = 0;   ///< length
    std::uint16_t status = 0;  ///< of responses
    std::uint32_t body = 0;    ///< length, extras and key included
    std::uint32_t opaque = 0;
    bool valid = false;
};
BinaryHeader binary_header(std::string_view bytes, bool request);
/// As the text protocol names it; empty: none. Quiet ones have the name of what they do.
std::string_view binary_name(std::uint8_t opcode);
/// Answered only when it has something to say.
bool is_quiet(std::uint8_t opcode);
/// "KEY_EXISTS"; empty for success and for misses, which are no errors.
std::string_view binary_error(std::uint16_t status);

}  // namespace timesink::proto::memcached
