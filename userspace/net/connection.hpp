#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "event/event.hpp"
#include "net/byte_times.hpp"
#include "net/captured_piece.hpp"
#include "net/summary.hpp"
#include "net/tls_layer.hpp"
#include "proto/parser.hpp"

namespace timesink::net {

class Connection;

/// Who asked for a connection, and how that went.
struct Connecting {
    ThreadId thread{};
    ProcessId process{};
    ContextId context{};  ///< current in the call of connect(); zero: none, or not known
    Instant began{};      ///< its entry; zero: not ours, not seen, or not of a kind that is connected (datagrams)
    Instant returned{};
    Instant failed{};  ///< the kernel knew that it came to nothing; zero: it came to something, or is under way
};

/// Where captured bytes of a stream come from.
struct Origin {
    std::uint64_t number = 0;  ///< of the event
    std::uint64_t offset = 0;  ///< within the bytes that it moved
};

/// Gets the messages of all connections, each with the times of its first or last byte. Calls come in the order of the events.
class MessageSink {
public:
    virtual ~MessageSink() = default;
    virtual void head(Connection& connection, const proto::Head& head, const Moment& first_byte) = 0;
    virtual void end(Connection& connection, const proto::End& end, const Moment& last_byte) = 0;
    /// A piece of the content of a message that is open. Its times: connection.moment(content.direction, a position in it).
    virtual void content(Connection& connection, const proto::Content& content) { (void)connection, (void)content; }
    /// Bytes of this connection were lost (their event did not fit into the ring): open messages cannot be trusted.
    /// `finder`: the thread whose call showed it; what it works for may have been on this connection.
    virtual void lost(Connection& connection, ThreadId finder) = 0;
    /// A call moved bytes that nobody can tell the meaning of, since what came before them was lost.
    virtual void not_understood(Connection& connection, ThreadId mover) = 0;
    /// The target called connect(), and was not connected when that returned.
    virtual void connecting(Connection& connection) { (void)connection; }
    /// The protocol changed or is detected anew: open messages end here, incomplete.
    virtual void abandoned(Connection& connection) = 0;
    virtual void closed(Connection& connection) = 0;

    // For redaction; nobody else need care.
    [[nodiscard]] virtual bool redacts() const { return false; }
    [[nodiscard]] virtual std::string masked(std::string_view text, proto::Kept) const { return std::string(text); }
    /// These bytes of the stream that is read (or written) begin at this position.
    virtual void passed(Connection& connection, bool read, std::uint64_t position, std::size_t bytes, Origin origin) {
        (void)connection, (void)read, (void)position, (void)bytes, (void)origin;
    }
    /// See proto::Sink.
    virtual void keep(Connection& connection, bool read, std::uint64_t position, std::string_view text, proto::Kept kind) {
        (void)connection, (void)read, (void)position, (void)text, (void)kind;
    }
};

/// A socket of the target: who its ends are, the bytes of both directions as far as captured, the protocol spoken and the times.
/// Owned by Connections; fed in event order. Invariant: bytes reach the parser in stream order per direction, gaps told.
class Connection final : private proto::Sink {
public:
    /// As rx_position or tx_position of the socket: the first call in that direction tells.
    static constexpr std::uint64_t kPositionUnknown = ~std::uint64_t{0};

    Connection(const event::Socket& socket, bool before_attach, MessageSink& sink);

    /// Tells a connection that is known by its calls only who its ends are. Does nothing when that is known.
    void introduce(const event::Socket& socket);
    void on(const event::Call& call);
    /// Kept for the call that comes next in its direction; what no call has moved, or what nobody reads, is dropped.
    void on(const event::Payload& piece);
    /// What the TLS library of this connection took or gave: from the first on, these are the bytes that parsers see, at
    /// positions of their own. `pieces`: captured from within it. Precondition: it is this connection's.
    void on(const event::Plaintext& plain, std::vector<CapturedPiece> pieces);
    void on(const event::Arrival& arrival);
    void on(const event::SocketState& state);
    void on_retransmit() { ++summary_.retransmits; }
    /// The socket is gone: finishes both directions.
    void close(Instant at);

    [[nodiscard]] SocketId id() const { return summary_.socket; }
    [[nodiscard]] Role role() const { return summary_.role; }
    [[nodiscard]] ProcessId process() const { return summary_.process; }
    [[nodiscard]] const event::Endpoint& local() const { return summary_.local; }
    [[nodiscard]] const event::Endpoint& remote() const { return summary_.remote; }
    [[nodiscard]] std::string_view protocol() const { return summary_.protocol; }
    [[nodiscard]] bool opened_before_attach() const { return summary_.opened_before_attach; }
    [[nodiscard]] const Connecting& connecting() const { return connecting_; }
    [[nodiscard]] Instant connect_began() const { return connecting_.began; }  ///< zero: not ours or not seen
    [[nodiscard]] Instant connected() const { return connected_; }             ///< handshake complete; zero: not seen
    [[nodiscard]] Instant accepted() const { return accepted_; }               ///< zero: not seen
    [[nodiscard]] const std::string& failure() const { return failure_; }      ///< "Connection refused", …; empty: none
    [[nodiscard]] const ConnectionSummary& summary() const { return summary_; }
    /// Names the connection in event::Plaintext; 0: it is not encrypted, or its beginning was not seen.
    [[nodiscard]] std::uint64_t tls_name() const { return tls_name_; }
    /// For one whose beginning was not seen; 0: nothing is known.
    void name_tls(std::uint64_t name) { tls_name_ = name != 0 ? name : tls_name_; }
    [[nodiscard]] Moment moment(proto::Direction direction, std::uint64_t position) const;
    /// Of the next byte that the target will read (request of a server, response of a client) or write.
    [[nodiscard]] std::uint64_t position(proto::Direction direction) const;

private:
    [[nodiscard]] bool tcp_goes_on() const;
    using Piece = CapturedPiece;
    struct Stream {
        std::uint64_t expected = 0;   // position of the next byte
        std::uint64_t held_from = 0;  // position of held.front()
        std::vector<std::byte> held;  // what the parser asked to see again
        ByteTimes times;
        std::vector<Piece> pieces;  // of the call that comes next
        bool finished = false;
        bool astray = false;  // bytes were lost, and no message has begun since
    };
    /// Bytes seen before the protocol is known, replayed into the parser once it is.
    struct Early {
        bool read;
        std::uint64_t position;
        std::vector<std::byte> bytes;
        std::uint64_t missing_after;
        bool ends_call;
    };

    void connect(const event::Call& call);
    void transfer(const event::Call& call);
    void transfer_ciphertext(const event::Call& call);
    /// Of bytes that `call` read, and of which it is in `times` who read them: when they arrived, where arrivals do not say.
    void tell_arrivals(const event::Call& call, ByteTimes& times, bool lost);
    void begin_clear();
    void wait_for_handshake(const event::Plaintext& plain);
    void send_what_waited(const event::Call& call);
    void send(const std::vector<TlsLayer::Sent>& pieces);
    void take(bool read, std::uint64_t length, event::Bytes head, event::Bytes tail, bool ends_call, Origin origin);
    void take_pieces(bool read, std::uint64_t end, const std::vector<Piece>& pieces);
    void pass_pieces(bool read, std::uint64_t begin, std::uint64_t end, const std::vector<Piece>& pieces);
    void miss(bool read, std::uint64_t end);
    void feed(bool read, std::uint64_t position, event::Bytes bytes, bool ends_call);
    void skip(bool read, std::uint64_t begin, std::uint64_t end);
    void parse(bool read, std::uint64_t position, event::Bytes bytes, bool ends_call);
    void detect(bool read, std::uint64_t position, event::Bytes bytes, bool ends_call);
    void choose(std::string_view name, std::unique_ptr<proto::Parser> parser);
    void finish(bool read);
    void drop_parser();
    [[nodiscard]] proto::Direction direction_of(bool read) const;
    [[nodiscard]] Stream& stream(bool read) { return streams_[read ? 0 : 1]; }

    void head(const proto::Head& head) override;
    void end(const proto::End& end) override;
    void content(const proto::Content& content) override { sink_.content(*this, content); }
    void upgraded(std::string_view protocol) override;
    void lost_sync(proto::Direction direction, std::uint64_t position) override;
    void secured(const proto::Secured& facts) override;
    [[nodiscard]] bool redacts() const override { return sink_.redacts(); }
    [[nodiscard]] std::string masked(std::string_view text, proto::Kept kind) const override { return sink_.masked(text, kind); }
    void keep(proto::Direction direction, std::uint64_t position, std::string_view text, proto::Kept kind) override {
        sink_.keep(*this, direction_of(true) == direction, position, text, kind);
    }

    MessageSink& sink_;
    ConnectionSummary summary_;
    std::array<Stream, 2> streams_;
    std::unique_ptr<proto::Parser> parser_;
    std::vector<Early> early_;
    std::size_t early_bytes_ = 0;
    std::size_t early_calls_ = 0;
    bool opaque_ = false;
    /// A unix socket that was neither connected nor accepted, and says nothing that is known: a pair by which a process wakes
    /// itself, as asyncio's loop is woken by threads. Its bytes are counted; a request without an answer would be in flight for
    /// ever.
    bool nobody_asks_ = false;
    bool parsing_ = false;                               // inside parser_->parse: the parser must not be replaced under its feet
    std::string upgrade_;                                // what to become when the parse call returns
    std::unique_ptr<TlsLayer> tls_;                      // once plaintext is seen: streams_ are of plaintext then
    std::array<std::uint64_t, 2> cipher_expected_ = {};  // as Stream::expected, below tls_
    std::uint64_t tls_name_ = 0;
    std::uint16_t tls_suite_ = 0;
    bool hello_seen_ = false;
    bool tls_open_ = false;            // the handshake is over
    std::uint64_t tls_open_from_ = 0;  // see proto::Secured
    /// Given to the library before the handshake was over on the wire; `captured` has what its spans point to.
    struct Waiting {
        event::Plaintext plain;
        std::vector<std::byte> captured;
    };
    std::vector<Waiting> waiting_;
    bool arrivals_have_positions_;
    bool datagrams_ = false;
    std::uint64_t arrived_end_ = 0;  // positions in the kernel: of the latest byte that is known to have arrived,
    std::uint64_t read_end_ = 0;     // and of the latest that was read
    bool closed_ = false;
    bool shut_down_ = false;      // by the target: it may still read
    std::uint8_t tcp_state_ = 0;  // the latest that was told; zero: none was
    Connecting connecting_;
    Instant connected_{};
    Instant accepted_{};
    std::string failure_;
};

}  // namespace timesink::net
