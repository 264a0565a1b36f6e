#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/attributes.hpp"

/// The protocol parsers' interface: bytes and stream positions in, messages out. A parser knows no sockets, no clock and no
/// owners; it is told which bytes were not captured and finds its way again. net/ turns positions into times.
namespace timesink::proto {

/// Of a connection: `request` flows from the end that connected (or asks) to the one that accepted, `response` back.
enum class Direction : std::uint8_t { request, response };

/// Ties a response to its request. Given by the parser: a counter where the protocol answers in order, the protocol's own id
/// where it has one. 0: a response to a request that was not seen.
enum class Correlation : std::uint64_t {};

/// The identity of a request or response is known (its header is complete).
struct Head {
    Direction direction = Direction::request;
    Correlation correlation{};
    std::uint64_t begin = 0;  ///< position of its first byte
    /// Requests. operation: HTTP method, first SQL keyword(s), Redis command. target: path with query, statement text, key-less
    /// command text. statement_name: of a prepared statement; with an empty target it was prepared before the attach.
    std::string operation{};
    std::string target{};
    std::string statement_name{};
    std::string host{};             ///< HTTP authority
    bool target_truncated = false;  ///< the capture ended inside the target
    bool housekeeping = false;      ///< start-up, authentication, pool clean-up, keep-alive pings: not the application's
    bool expects_response = true;
    /// The other end answers the requests of a connection one after the other. False: it works on several at once, so that a
    /// request never waits for the answer to another.
    bool answers_in_order = true;
    /// Responses. status: HTTP code; 0 elsewhere, and where it is in a table of HTTP/2 that is older than the attach. error:
    /// empty for success, else SQLSTATE, RESP error prefix, "truncated", …
    int status = 0;
    std::string error{};
    Attributes attributes{};

    /// As Head{.direction = …, .begin = …}, but its strings keep their memory.
    void restart(Direction way, std::uint64_t first_byte) {
        direction = way;
        correlation = {};
        begin = first_byte;
        for (std::string* text : {&operation, &target, &statement_name, &host, &error}) {
            text->clear();
        }
        target_truncated = housekeeping = false;
        expects_response = answers_in_order = true;
        status = 0;
        attributes.clear();
    }
};

/// The message is over; follows its Head, and may come in the same call. One exception: when losses make it unknowable which
/// response answers a request, that request is given up by an End of direction response with error "lost", incomplete, without a
/// Head.
struct End {
    Direction direction = Direction::request;
    Correlation correlation{};
    std::uint64_t end = 0;         ///< position after its last byte
    std::uint64_t bytes = 0;       ///< on the wire, where other messages' bytes lie between its own; 0: all from begin to end
    std::uint64_t body_bytes = 0;  ///< of the payload proper: HTTP body (decoded from chunks), result rows
    /// Rows, documents, values returned or changed; none: not told, or not all were seen.
    std::optional<std::uint64_t> rows{};
    /// SQL: a hash of how the columns of the result are described, of which no text is part; 0: they are not.
    std::uint64_t columns = 0;
    std::string error{};   ///< as in Head, when it is known only now
    bool complete = true;  ///< false: cut off by the end of the stream or by a gap
    Attributes attributes{};
    std::uint64_t frame = 0;  ///< where the frame begins that ends it; 0: not known, or the protocol has none

    /// As End{.direction = …}, but its strings keep their memory.
    void restart(Direction way) {
        direction = way;
        correlation = {};
        end = bytes = body_bytes = columns = frame = 0;
        rows.reset();
        error.clear();
        complete = true;
        attributes.clear();
    }
};

/// A piece of a message's content: an HTTP body without chunk headers, frame headers and padding. Content encodings are not
/// undone.
struct Content {
    Direction direction = Direction::request;
    Correlation correlation{};
    std::uint64_t position = 0;        ///< of its first byte in the stream
    std::span<const std::byte> bytes;  ///< empty: they were not captured
    /// How many then; framing may be among them where that was not captured either. 0: some, nobody knows how many.
    std::uint64_t missing = 0;
    std::uint64_t frame = 0;  ///< where the frame begins that carries it; 0: the protocol has none
};

/// What the handshake of a TLS connection says in the clear.
struct Secured {
    std::array<std::byte, 32> client_random{};  ///< names the connection: both ends' libraries keep it
    bool random_known = false;
    std::string server_name{};           ///< SNI; empty: none
    std::string application_protocol{};  ///< ALPN: the first that is offered, or (to 1.2) the one chosen
    std::string_view version{};          ///< "1.2"; empty: not known yet
    std::uint16_t suite = 0;             ///< 0: not known yet
    bool open = false;                   ///< the handshake is over
    std::uint64_t open_from = 0;         ///< position in the request's direction of what follows it; 0: not known
};

/// What bytes are that say what a message is, for redaction: how much of them may be recorded.
enum class Kept : std::uint8_t {
    structure,  ///< lengths, types, names of commands, codes: all of it
    statement,  ///< SQL: all but literals and comments
    mysql,      ///< the same, where texts may stand in double quotes
    target,     ///< of an HTTP request: all but the values of its query
    field,      ///< a header line of HTTP: its name, and the value of those that are read
    key,        ///< of a cache, a queue: its form
};

/// What a parser finds, in stream order per direction. References live until the call returns.
class Sink {
public:
    virtual ~Sink() = default;
    /// Somebody wants to know what may be recorded. Else parsers need not tell.
    [[nodiscard]] virtual bool redacts() const { return false; }
    /// A text, as it may be recorded; of the same length.
    [[nodiscard]] virtual std::string masked(std::string_view text, Kept) const { return std::string(text); }
    /// `text` stands at this position of the stream (or may stand there, having the same length), and may be recorded as far as
    /// its kind allows. What no parser tells of is masked. Parsers tell of all that they read, so that they find the same in a
    /// masked stream, and of nothing else.
    virtual void keep(Direction, std::uint64_t position, std::string_view text, Kept kind) {
        (void)position, (void)text, (void)kind;
    }
    virtual void head(const Head& head) = 0;
    virtual void end(const End& end) = 0;
    /// Between the Head and the End of its message, from parsers whose content somebody reads (HTTP). Most do not care.
    virtual void content(const Content& content) { (void)content; }
    /// The connection changed protocol (HTTP Upgrade, CONNECT): from `position` of that direction on, bytes are not this
    /// parser's.
    virtual void upgraded(std::string_view protocol) = 0;
    /// A part of the stream could not be understood; the parser searches for the next message on its own.
    virtual void lost_sync(Direction direction, std::uint64_t position) = 0;
    /// What is known of the encryption, again when more is. Of no use to most.
    virtual void secured(const Secured&) {}
};

/// The bytes [position, position + bytes.size()) of one direction, contiguous with what was given before unless a gap was told.
struct Chunk {
    Direction direction = Direction::request;
    std::uint64_t position = 0;
    std::span<const std::byte> bytes;
    /// The last byte is the last of one system call: where writers flush whole messages, a message probably ends here.
    bool ends_call = false;
};

enum class Verdict : std::uint8_t {
    ok,        ///< `consumed` bytes are dealt with
    more,      ///< the rest is the begin of something: keep it and come again with more (net/ keeps up to kMaximumHeld bytes)
    not_mine,  ///< these bytes are not of this protocol; the connection is detected anew
};
struct Parsed {
    std::size_t consumed = 0;
    Verdict verdict = Verdict::ok;
};

/// Bytes that net/ holds for a parser that asked for more, per direction. Beyond, the oldest are dropped and told as a gap.
inline constexpr std::size_t kMaximumHeld = std::size_t{64} * 1024;

/// One per connection, for both directions. Never throws on any input; memory bounded by a small constant per open request.
class Parser {
public:
    virtual ~Parser() = default;
    virtual Parsed parse(const Chunk& chunk, Sink& sink) = 0;
    /// [begin, end) of this direction was not captured (or lost). What was held has been dropped. Afterwards `parse` goes on at
    /// `end`.
    virtual void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) = 0;
    /// No more bytes in this direction (FIN, shutdown, close). Ends messages that end with the stream; others are incomplete.
    virtual void finish(Direction direction, std::uint64_t position, Sink& sink) = 0;
};

enum class Match : std::uint8_t { no, maybe, yes };

/// One line of the registry. Detection is by content only. It may be asked in the middle of a connection (attach), for either
/// direction.
struct Protocol {
    std::string_view name;  ///< OTel: "http", "postgresql", "redis"
    Match (*detect)(Direction direction, std::span<const std::byte> bytes);
    std::unique_ptr<Parser> (*make)();
};

/// All protocols, most telling first. proto/registry.cpp has one line each.
std::span<const Protocol> registry();

}  // namespace timesink::proto
