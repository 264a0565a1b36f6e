#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::proto::dns {

inline constexpr std::size_t kHeaderBytes = 12;

/// How far a message could be read.
enum class Extent : std::uint8_t {
    bad,    ///< these bytes are none
    begun,  ///< it goes on behind them
    whole,
};

/// A query or an answer with one question (RFC 1035, section 4). Texts are valid as long as the bytes that were read.
struct Message {
    std::uint16_t id = 0;
    bool response = false;
    bool truncated = false;  ///< TC: the rest is to be asked for over TCP
    unsigned rcode = 0;      ///< the lower four bits; 0: no error
    std::uint64_t answers = 0;
    bool asked = false;                     ///< name and type are known; not so in an answer that repeats no question
    std::string name{};                     ///< in lower case, without the dot at its end; "." for the root
    std::uint16_t type = 0;                 ///< of the question
    std::size_t bytes = 0;                  ///< of the message, when it is whole
    std::vector<std::string_view> parts{};  ///< all that was read: header, names, types, lengths; never the data of a record
};

/// Reads the message that begins at text[0].
Extent read_message(std::string_view text, Message& message);

/// "AAAA"; empty: of no type that one asks for.
std::string_view type_name(std::uint16_t type);

/// "NXDOMAIN"; empty: no error.
std::string_view rcode_name(unsigned rcode);

}  // namespace timesink::proto::dns
