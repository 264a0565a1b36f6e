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
inline constexpr std::uint16_t kFetch = 1;
inline constexpr std::uint16_t kMetadata = 3;
/// "Produce"; empty: no request that clients make.
std::string_view api_name(std::uint16_t api);
/// What a driver asks for itself: versions, metadata, group membership.
bool is_housekeeping(std::uint16_t api);

/// Of a payload: what was read of it, and may be recorded.
using Parts = std::vector<std::string_view>;

/// By its name, or from version 13 of both Produce and Fetch on by its id, of which only Metadata tells the name (KIP-516).
struct Topic {
    std::string name;  ///< empty: told by id
    std::string id;    ///< 32 hexadecimal digits; empty: told by name
    bool operator==(const Topic&) const = default;
};

struct Request {
    std::vector<Topic> topics;  ///< of Produce and Fetch, as far as captured
    bool answered = true;       ///< a Produce with acks=0 is not
    /// Of a Fetch: its topics are but what has changed since the one before in its session (KIP-227).
    bool goes_on = false;
    std::vector<Topic> forgotten;  ///< and of these not all is fetched any more
    Parts parts;
};
Request request_of(const RequestHeader& header, std::string_view payload);

struct Response {
    std::string error;          ///< of a Produce or Fetch: the number of the first; empty: none that was seen
    bool known = true;          ///< all of what tells it was captured
    std::vector<Topic> topics;  ///< of Metadata: with both name and id, as far as captured
    Parts parts;
};
Response response_of(std::uint16_t api, std::uint16_t version, std::string_view payload, bool whole);

}  // namespace timesink::proto::kafka
