#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proto/http1/fields.hpp"

namespace timesink::proto::fastcgi {

inline constexpr std::size_t kHeaderBytes = 8;

enum class Type : std::uint8_t {
    begin = 1,
    abort = 2,
    end = 3,
    params = 4,
    in = 5,
    out = 6,
    err = 7,
    data = 8,
    get_values = 9,
    values = 10,
    unknown = 11
};

struct Header {
    Type type{};
    std::uint16_t request = 0;  ///< id; 0: of the connection
    std::uint16_t content = 0;  ///< bytes
    std::uint8_t padding = 0;
    bool valid = false;
};
/// Not valid: no peer of that direction says so.
Header header_of(std::string_view bytes, bool from_client);

/// What CGI's variables say of a request. Owned by the parser, one for each direction's message in progress.
struct Asked {
    std::string method;
    std::string target;  ///< path and query
    std::string script;  ///< SCRIPT_NAME and PATH_INFO: the path, where there is no REQUEST_URI
    http1::Fields fields{Direction::request};
};
/// A part of a message that was read, and how much of it may be recorded.
using Told = std::function<void(std::string_view part, Kept kind)>;

/// Name-value pairs of one record, as many as are whole. Told of each part that decides anything.
void read_params(std::string_view content, Asked& asked, const Told& told);

struct Answered {
    int status = 0;  ///< 0: not known
    Attributes attributes;
};
/// The header block that a response begins with (RFC 3875 section 6.3), as far as it is there.
Answered read_answer(std::string_view content, const Told& told);

}  // namespace timesink::proto::fastcgi
