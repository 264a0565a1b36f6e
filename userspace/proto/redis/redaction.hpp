#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proto/parser.hpp"
#include "proto/redis/command_reader.hpp"
#include "proto/redis/reply_reader.hpp"
#include "proto/redis/value.hpp"

namespace timesink::proto::redis {

/// Goes between a value and its reader, and tells what of the value's bytes may be recorded: headers of strings and aggregates;
/// of a command what its reader reads (name, form of the keys); of a reply the words that tell its kind (OK, an error's code,
/// what names a push), and of a job that is taken from a queue its name and id. Numbers become others that are zero or not as
/// they were; scripts are replaced by their digest (kScriptMark).
class ValueRedaction final : public ValueSink {
public:
    void begin();
    /// As value.take(bytes, reader), for bytes that begin at `position`.
    std::size_t take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, CommandReader& reader, Sink& sink);
    std::size_t take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, ReplyReader& reader, Sink& sink);

    /// Bytes are missing from here on: tells of the line that was in progress.
    static void cut(const Value& value, Direction direction, std::uint64_t position, Sink& sink);

    void item(char type, std::string_view text, std::size_t depth) override;
    void string_bytes(std::span<const std::byte> bytes, std::size_t depth) override;
    void string_end(std::size_t depth) override;
    void line(std::string_view text, std::size_t end, std::size_t length) override;
    void ending(std::size_t offset, char byte) override;

private:
    std::size_t take(Value& value, std::span<const std::byte> bytes, std::uint64_t position, ValueSink& reader, Sink& sink);
    void tell(std::uint64_t position, std::string_view text, Kept kind = Kept::structure);
    void argument();
    void reply_string(std::size_t depth);
    [[nodiscard]] static std::string masked_line(std::string_view text);

    ValueSink* reader_ = nullptr;  ///< these five: within take()
    CommandReader* command_ = nullptr;
    ReplyReader* reply_ = nullptr;
    Sink* sink_ = nullptr;
    std::span<const std::byte> bytes_;
    std::uint64_t position_ = 0;
    char type_ = 0;                   ///< of the value
    std::uint64_t elements_ = 0;      ///< of it that have begun
    std::string text_;                ///< first bytes of the string in progress
    std::uint64_t text_begin_ = 0;    ///< of these
    std::uint64_t string_bytes_ = 0;  ///< that were seen of it
};

/// Of a command in one line that was read, which ends (CRLF included) at `end`.
void keep_inline(const LineReader& line, const CommandReader& command, std::uint64_t end, Sink& sink);

}  // namespace timesink::proto::redis
