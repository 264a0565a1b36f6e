#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace timesink::proto::mongodb {

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::uint32_t kLongestMessage = 48'000'000 + 16 * 1024;  // maxMessageSizeBytes, and its commands' own part

enum class Operation : std::uint32_t { reply = 1, query = 2004, compressed = 2012, message = 2013 };

/// Every message's first 16 bytes.
struct Header {
    std::uint32_t length = 0;  ///< of the whole message
    std::uint32_t id = 0;
    std::uint32_t answers = 0;  ///< id of the request; 0: this is one
    Operation operation{};
};
Header header_of(std::string_view bytes);
/// Whether it may be one, of that direction.
bool is_likely(const Header& header, bool request);
/// Whether what follows the header fits it; `payload` may be cut.
bool fits(const Header& header, std::string_view payload);

/// A command, or the greeting that came before commands.
struct Command {
    std::string name;  ///< empty: unknown (compressed)
    std::string collection;
    std::string database;
    std::string shape;  ///< "find orders {filter: {status}, sort: {at}}": names only
    bool answered = true;
    bool housekeeping = false;
};
Command command_of(const Header& header, std::string_view payload);

/// Names of documents and arrays that tell a command's shape by the names in them.
bool is_telling(std::string_view name);
/// Of a command's array, or of a section of documents beside it: the statements of an update or delete.
bool is_statements(std::string_view name);

struct Reply {
    std::string error;                  ///< the number of the error; empty: none
    std::optional<std::uint64_t> rows;  ///< changed or inserted; none: not told, as of what a cursor gives
    bool known = false;                 ///< whether there is an error was captured
};
Reply reply_of(const Header& header, std::string_view payload, bool whole);

}  // namespace timesink::proto::mongodb
