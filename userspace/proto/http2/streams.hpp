#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "proto/http2/header_block.hpp"
#include "proto/parser.hpp"

namespace timesink::proto::http2 {

/// One request with its response.
struct Stream {
    Correlation correlation{};
    std::uint64_t request_bytes = 0;  ///< of its frames, headers and framing included
    std::uint64_t response_bytes = 0;
    std::uint64_t request_body = 0;  ///< of its DATA, without padding
    std::uint64_t response_body = 0;
    std::uint64_t response_seen = 0;    ///< position after its last frame from the server
    std::uint64_t announced_bytes = 0;  ///< content-length of the response, where there is one
    bool length_known = false;
    bool request_over = false;
    bool responded = false;  ///< the Head of the response was given
    bool grpc = false;
    bool headless = false;  ///< frames were lost that may have had the begin of the response
    bool doubtful = false;  ///< frames from the server were lost: its end may have been among them
};

/// The streams of a connection that clients opened, and what is told of them. Owned by the parser. Streams that began before the
/// attach are not in it: nothing of them can be timed.
class Streams {
public:
    /// Ordinary servers allow a hundred at once. Beyond, the oldest are given up.
    static constexpr std::size_t kMaximumOpen = 4096;

    explicit Streams(std::uint64_t correlation_of_zero) : correlation_of_zero_(correlation_of_zero) {}

    [[nodiscard]] Stream* find(std::uint32_t id);
    [[nodiscard]] std::uint32_t latest() const { return latest_; }  ///< 0: none yet
    [[nodiscard]] bool is_new(std::uint32_t id) const { return id % 2 == 1 && id > latest_; }
    /// Behind an upgrade: its request was told by another parser.
    void adopt(std::uint32_t id);
    void request(std::uint32_t id, std::uint64_t begin, Block& block, Sink& sink);
    /// The final header of the response.
    void response(Stream& stream, std::uint64_t begin, Block& block, Sink& sink);
    /// `frame`: see End.
    void request_over(std::uint32_t id, std::uint64_t end, bool complete, Sink& sink, std::uint64_t frame = 0);
    /// `error`: as in End; empty for success.
    void response_over(std::uint32_t id, std::uint64_t end, bool complete, int grpc_status, Sink& sink);
    /// RST_STREAM. `begin` and `end` are positions of what the server sends: of its frame; where the client resets, where it is.
    void reset(std::uint32_t id, Direction by, std::uint64_t begin, std::uint64_t end, std::uint32_t code, Sink& sink);
    /// Frames from the server were lost.
    void doubt();
    /// Content of messages in progress in that direction was among the frames that were lost.
    void unread(Direction direction, std::uint64_t position, Sink& sink) const;
    /// Bytes of the server were there up to this position.
    void heard(std::uint64_t position) { heard_ = position; }
    /// No more bytes of that direction.
    void finish(Direction direction, std::uint64_t position, Sink& sink);
    /// The one stream whose response is being sent, when it is the only one that has begun and knows its length; else 0.
    [[nodiscard]] std::uint32_t alone() const;
    /// Bytes of frames that were not captured: of the one message in progress in that direction, if there is just one.
    void credit_lost(Direction direction, std::uint64_t bytes);

private:
    using Map = std::map<std::uint32_t, Stream>;
    void give_up(Map::iterator at, Sink& sink);
    /// A later response is over, and these have not been heard of since frames were lost.
    void give_up_doubtful(std::uint32_t before, Sink& sink);

    std::uint64_t correlation_of_zero_;
    std::uint32_t latest_ = 0;
    std::uint64_t heard_ = 0;
    Map streams_;
};

/// As code of a reset: it was not captured.
inline constexpr std::uint32_t kHidden = ~std::uint32_t{0};

/// The name of an HTTP/2 error code (RFC 9113 section 7), in its words; "UNKNOWN" beyond.
std::string_view error_name(std::uint32_t code);
/// The name of a gRPC status; "UNKNOWN" beyond.
std::string_view grpc_status_name(int status);

}  // namespace timesink::proto::http2
