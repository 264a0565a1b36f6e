#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace timesink::proto::kafka {

inline constexpr std::size_t kLengthBytes = 4;
/// The broker's own limit is 100 MiB (socket.request.max.bytes), and can be raised.
inline constexpr std::uint32_t kLongest = std::uint32_t{1} << 30;

/// What a request begins with, behind its length.
struct RequestHeader {
    std::uint16_t api = 0;
    std::uint16_t version = 0;
    std::uint32_t correlation = 0;
    std::string client;  ///< client.id
    bool valid = false;
};
/// Of at least 8 bytes; the client's name as far as it goes.
RequestHeader request_header(std::string_view payload);
/// "Produce"; empty: no request that clients make.
std::string_view api_name(std::uint16_t api);
/// What a driver asks for itself: versions, metadata, group membership.
bool is_housekeeping(std::uint16_t api);

/// Of a payload: what was read of it, and may be recorded.
using Parts = std::vector<std::string_view>;

struct Request {
    std::vector<std::string> topics;  ///< of Produce and Fetch, as far as told by name and captured
    bool answered = true;             ///< a Produce with acks=0 is not
    Parts parts;
};
Request request_of(const RequestHeader& header, std::string_view payload);

/// The first error of the answer to a Produce or Fetch: its number.
struct Response {
    std::string error;  ///< empty: none that was seen
    bool known = true;  ///< all of what tells it was captured
    Parts parts;
};
Response response_of(std::uint16_t api, std::uint16_t version, std::string_view payload, bool whole);

}  // namespace timesink::proto::kafka
