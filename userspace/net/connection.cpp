#include "net/connection.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/opaque/opaque.hpp"
#include "proto/tls/tls.hpp"

namespace timesink::net {

namespace {

constexpr std::uint16_t kAfUnix = 1;
constexpr std::uint8_t kDatagrams = 2;  // SOCK_DGRAM
constexpr std::uint8_t kTcpEstablished = 1;
constexpr std::uint8_t kTcpSynSent = 2;
constexpr std::uint8_t kTcpClose = 7;
constexpr std::uint8_t kTcpCloseWait = 8;

Role role_of(const event::Socket& socket) {
    if (socket.is_server == 1 || socket.origin == TS_SOCKET_PASSIVE || socket.origin == TS_SOCKET_ACCEPT) {
        return Role::server;
    }
    return socket.is_server == 0 || socket.origin == TS_SOCKET_CONNECT ? Role::client : Role::unknown;
}

/// Of TCP alone the kernel says how far a stream has come.
bool has_positions(const event::Socket& socket) {
    return socket.family != kAfUnix && socket.type != kDatagrams;
}

/// A name that outlives the connection, for protocols that begin in the clear and go on encrypted.
std::string_view registered_name(std::string_view name) {
    for (const proto::Protocol& protocol : proto::registry()) {
        if (protocol.name == name) {
            return protocol.name;
        }
    }
    return {};
}

/// `call` read where arrivals tell no positions. `lost`: what was read before it is not known.
void settle_arrivals(const event::Call& call, ByteTimes& times, bool datagrams, bool lost) {
    if (datagrams && lost) {
        times.forget_arrivals();
    }
    const bool one = datagrams && (call.flags & TS_CALL_MULTI_MESSAGE) == 0;
    times.settle_arrivals(call.stream_begin, call.stream_begin + static_cast<std::uint64_t>(call.result), call.exited, one);
}

void note_tls(proto::Head& head, const ConnectionSummary& summary) {
    if (!summary.tls_version.empty()) {
        head.attributes.emplace_back("tls.protocol.version", summary.tls_version);
    }
    if (!summary.server_name.empty()) {
        head.attributes.emplace_back("server.address", summary.server_name);
    }
}

}  // namespace

Connection::Connection(const event::Socket& socket, bool before_attach, MessageSink& sink)
    : sink_(sink), arrivals_have_positions_(has_positions(socket)), datagrams_(socket.type == kDatagrams) {
    summary_.socket = socket.socket;
    summary_.process = socket.process;
    summary_.role = role_of(socket);
    summary_.family = socket.family;
    summary_.network_namespace = socket.network_namespace;
    summary_.local = socket.local;
    summary_.remote = socket.remote;
    summary_.opened_before_attach = before_attach;
    summary_.first_seen = summary_.last_seen = socket.at;
    summary_.open = true;
    stream(true).expected = stream(true).held_from = socket.rx_position;
    stream(false).expected = stream(false).held_from = socket.tx_position;
    if (socket.origin == TS_SOCKET_PASSIVE) {
        connected_ = socket.at;
    }
    if (socket.unread > 0 && arrivals_have_positions_) {
        stream(true).times.arrived(socket.rx_position + socket.unread, socket.at);
    }
    // What is not known was read: then nothing keeps the connection open.
    read_end_ = socket.rx_position;
    arrived_end_ = socket.rx_position == kPositionUnknown ? 0 : socket.rx_position + socket.unread;
}

void Connection::introduce(const event::Socket& socket) {
    if (summary_.family != 0) {
        return;
    }
    summary_.family = socket.family;
    summary_.network_namespace = socket.network_namespace;
    summary_.local = socket.local;
    summary_.remote = socket.remote;
    summary_.role = summary_.role == Role::unknown ? role_of(socket) : summary_.role;
    arrivals_have_positions_ = has_positions(socket);
    datagrams_ = socket.type == kDatagrams;
    connecting_ = datagrams_ ? Connecting{} : connecting_;
    for (const bool read : {true, false}) {
        if (stream(read).expected == kPositionUnknown) {
            stream(read).expected = stream(read).held_from = read ? socket.rx_position : socket.tx_position;
        }
    }
}

Moment Connection::moment(proto::Direction direction, std::uint64_t position) const {
    const bool read = direction_of(true) == direction;
    return streams_[read ? 0 : 1].times.at(position);
}

std::uint64_t Connection::position(proto::Direction direction) const {
    return streams_[direction_of(true) == direction ? 0 : 1].expected;
}

proto::Direction Connection::direction_of(bool read) const {
    const bool request = read == (summary_.role == Role::server);
    return request ? proto::Direction::request : proto::Direction::response;
}

void Connection::on(const event::Arrival& arrival) {
    ByteTimes& times = tls_ ? tls_->read_times() : stream(true).times;
    if (arrivals_have_positions_ && arrival.stream_end != TS_POSITION_UNKNOWN) {
        times.arrived(arrival.stream_end, arrival.at);
        arrived_end_ = std::max(arrived_end_, arrival.stream_end);
    } else {
        times.arrived_somewhat(arrival.at);
    }
}

void Connection::on(const event::SocketState& state) {
    tcp_state_ = state.new_state;
    if (state.new_state == kTcpEstablished) {
        connected_ = state.at;
    } else if (state.new_state == kTcpClose && state.old_state == kTcpSynSent) {
        connecting_.failed = state.at;
        if (state.error != 0) {
            failure_ = std::strerror(state.error);
        }
        // A call that waited for long stands at its exit, which is still to come: only then is known who asked.
        if (connecting_.began != Instant{} || summary_.role == Role::server) {
            close(state.at);
        }
    } else if (state.new_state == kTcpClose) {
        // By the other end, behind bytes that can still be read, as by a server that answers and closes while the request is on
        // its way, or that answers a target which has shut its own way down: the target's own close is the end of it. A FIN
        // counts as a byte that arrived.
        const bool not_by_target = state.old_state == kTcpEstablished || state.old_state == kTcpCloseWait || shut_down_;
        if (!not_by_target || arrived_end_ <= read_end_ + 1) {
            close(state.at);
        }
    }
}

void Connection::on(const event::Call& call) {
    summary_.last_seen = std::max(summary_.last_seen, call.exited);
    switch (call.operation) {
        case TS_OPERATION_READ:
        case TS_OPERATION_WRITE:
            transfer(call);
            break;
        case TS_OPERATION_CONNECT:
            connect(call);
            break;
        case TS_OPERATION_ACCEPT:
            accepted_ = call.exited;
            summary_.process = call.process;
            summary_.role = Role::server;
            break;
        case TS_OPERATION_SHUTDOWN:
            shut_down_ = true;
            finish(false);
            break;
        case TS_OPERATION_CLOSE:
            // A forked child closes the descriptors it inherited; the connection goes on with the process that uses it. Whoever
            // accepted it may have passed it on (Node's cluster, forking servers) and close its own: then TCP goes on as it was.
            if (call.process == summary_.process && !tcp_goes_on()) {
                close(call.entered);
            }
            break;
    }
}

/// Called again on one that is under way, it only asks how that stands.
void Connection::connect(const event::Call& call) {
    summary_.process = call.process;
    if (datagrams_) {
        return;
    }
    const bool under_way =
        call.result == -EINPROGRESS || call.result == -EALREADY || call.result == -EAGAIN || call.result == -EINTR;
    if (connecting_.began == Instant{}) {
        connecting_ = {call.thread, call.process, call.context, call.entered, call.exited, connecting_.failed};
        if (call.result != 0) {
            sink_.connecting(*this);
        }
        if (connecting_.failed != Instant{}) {
            close(connecting_.failed);
            return;
        }
    }
    if (call.result == 0 && connected_ == Instant{}) {
        connected_ = call.exited;
    } else if (call.result < 0 && !under_way && call.result != -EISCONN) {
        failure_ = std::strerror(static_cast<int>(-call.result));
        connecting_.failed = call.exited;
    }
}

/// The kernel may pass over a probe without a word: some hosts run no program of BPF on top of some of their own threads, in
/// whose time bytes happen to arrive. Of an answer it is known then that it was there when it was read. A request may have waited
/// long before that: it stays unknown.
void Connection::tell_arrivals(const event::Call& call, ByteTimes& times, bool lost) {
    if (!arrivals_have_positions_) {
        settle_arrivals(call, times, datagrams_, lost);
        return;
    }
    const std::uint64_t end = call.stream_begin + static_cast<std::uint64_t>(call.result);
    if (summary_.role == Role::client && times.reached() != 0 && times.reached() < end) {
        times.arrived(end, call.exited);
        ++summary_.arrivals_missed;
    }
}

void Connection::transfer(const event::Call& call) {
    const bool read = call.operation == TS_OPERATION_READ;
    if ((call.flags & TS_CALL_PEEK) != 0) {
        return;
    }
    if (read && call.result > 0) {
        read_end_ = std::max(read_end_, call.stream_begin + static_cast<std::uint64_t>(call.result));
    }
    if (call.result <= 0) {
        const bool orderly_end = read && call.result == 0;
        if (orderly_end || (call.result < 0 && call.result != -EAGAIN && call.result != -EINTR)) {
            if (call.result < 0) {
                failure_ = std::strerror(static_cast<int>(-call.result));
            }
            finish(read);
        }
        return;
    }
    summary_.process = call.process;
    if (tls_) {
        transfer_ciphertext(call);
        return;
    }
    if (summary_.family == 0) {  // the record of the socket was lost, and who knows what else
        stream(true).astray = stream(false).astray = true;
    }
    const auto length = static_cast<std::uint64_t>(call.result);
    const std::uint64_t begin = call.stream_begin;
    const std::uint64_t end = begin + length;
    Stream& way = stream(read);
    (read ? summary_.bytes_read : summary_.bytes_written) += length;
    way.times.moved(begin, end, call.entered, call.exited, call.thread, call.process, call.context);
    if (read) {
        tell_arrivals(call, way.times, begin > way.expected);
    }
    if (way.expected == kPositionUnknown) {
        way.expected = way.held_from = begin;
    }
    if (begin > way.expected) {
        summary_.bytes_lost += begin - way.expected;
        skip(read, way.expected, begin);
        sink_.lost(*this, call.thread);
        way.astray = true;
    } else if (begin < way.expected) {
        ++summary_.lost_sync;  // two threads on one socket, told in the wrong order
        if (end <= way.expected) {
            return;
        }
        skip(read, way.expected, end);
        return;
    }
    take(read, length, call.head, call.tail, true, {call.number, 0});
    if (way.astray) {
        sink_.not_understood(*this, call.thread);
    }
    if (tls_open_ && !waiting_.empty()) {
        send_what_waited(call);
    }
}

/// The next `length` bytes of the stream, of which the first and the last were captured.
void Connection::take(bool read, std::uint64_t length, event::Bytes head, event::Bytes tail, bool ends_call, Origin origin) {
    const std::uint64_t begin = stream(read).expected;
    const std::uint64_t end = begin + length;
    const std::uint64_t middle_end = end - tail.size();
    const std::vector<Piece> pieces = std::exchange(stream(read).pieces, {});
    if (sink_.redacts()) {
        sink_.passed(*this, read, begin, head.size(), origin);
        pass_pieces(read, begin + head.size(), middle_end, pieces);
        sink_.passed(*this, read, end - tail.size(), tail.size(), {origin.number, origin.offset + length - tail.size()});
    }
    if (!head.empty()) {
        feed(read, begin, head, ends_call && head.size() == length);
    }
    take_pieces(read, middle_end, pieces);
    if (!tail.empty()) {
        feed(read, middle_end, tail, ends_call);
    }
}

void Connection::feed(bool read, std::uint64_t position, event::Bytes bytes, bool ends_call) {
    Stream& way = stream(read);
    way.expected = position + bytes.size();
    if (!parser_) {
        detect(read, position, bytes, ends_call);
        return;
    }
    if (opaque_ && way.held.empty()) {
        // A new turn may begin with something that a parser knows (attached in the middle of a body, plain text after a
        // greeting).
        for (const proto::Protocol& protocol : proto::registry()) {
            if (protocol.detect(direction_of(read), bytes) == proto::Match::yes) {
                drop_parser();
                choose(protocol.name, protocol.make());
                break;
            }
        }
    }
    parse(read, position, bytes, ends_call);
}

/// Mostly the parser takes all that there is, and nothing need be copied.
void Connection::parse(bool read, std::uint64_t position, event::Bytes bytes, bool ends_call) {
    Stream& way = stream(read);
    const bool fresh = way.held.empty();
    if (fresh) {
        way.held_from = position;
    } else {
        way.held.insert(way.held.end(), bytes.begin(), bytes.end());
    }
    event::Bytes rest = fresh ? bytes : event::Bytes(way.held);
    parsing_ = true;
    bool not_mine = false;
    while (!rest.empty()) {
        const proto::Chunk chunk{direction_of(read), way.held_from, rest, ends_call};
        const proto::Parsed parsed = parser_->parse(chunk, *this);
        const std::size_t consumed = std::min(parsed.consumed, rest.size());
        rest = rest.subspan(consumed);
        way.held_from += consumed;
        not_mine = parsed.verdict == proto::Verdict::not_mine;
        if (not_mine || !upgrade_.empty() || parsed.verdict == proto::Verdict::more || consumed == 0) {
            break;
        }
    }
    parsing_ = false;
    if (fresh) {
        way.held.assign(rest.begin(), rest.end());
    } else {
        way.held.erase(way.held.begin(), way.held.end() - static_cast<std::ptrdiff_t>(rest.size()));
    }
    if (not_mine) {
        ++summary_.lost_sync;
        drop_parser();
    } else if (!upgrade_.empty() && !opaque_) {
        const std::string before = summary_.protocol;
        drop_parser();
        if (upgrade_ == "tls") {
            upgrade_.clear();
            choose("tls", proto::tls::make_over(registered_name(before)));
            return;
        }
        choose(upgrade_, proto::make_opaque());
        opaque_ = true;
    } else if (way.held.size() > proto::kMaximumHeld) {
        skip(read, way.held_from, way.held_from + way.held.size());
    }
}

void Connection::skip(bool read, std::uint64_t begin, std::uint64_t end) {
    Stream& way = stream(read);
    way.expected = end;
    if (!parser_) {
        if (!early_.empty() && early_.back().read == read) {
            early_.back().missing_after += end - begin;
        } else {
            early_.push_back({read, begin, {}, end - begin, false});
        }
        return;
    }
    const std::uint64_t from = way.held.empty() ? begin : way.held_from;
    way.held.clear();
    way.held_from = end;
    parser_->gap(direction_of(read), from, end, *this);
}

void Connection::drop_parser() {
    sink_.abandoned(*this);
    parser_.reset();
    opaque_ = false;
    for (Stream& way : streams_) {
        way.held.clear();
        way.held_from = way.expected;
    }
}

void Connection::finish(bool read) {
    Stream& way = stream(read);
    if (way.finished) {
        return;
    }
    way.finished = true;
    if (!parser_ && !early_.empty()) {
        choose("unknown", proto::make_opaque());
    }
    if (parser_) {
        parser_->finish(direction_of(read), way.expected, *this);
    }
}

/// The last descriptor's close would have left these states before it returned. Not known of connections older than the attach.
bool Connection::tcp_goes_on() const {
    return tcp_state_ == kTcpEstablished || tcp_state_ == kTcpCloseWait;
}

void Connection::close(Instant at) {
    if (closed_) {
        return;
    }
    closed_ = true;
    summary_.last_seen = std::max(summary_.last_seen, at);
    summary_.open = false;
    finish(true);
    finish(false);
    sink_.closed(*this);
}

void Connection::head(const proto::Head& head) {
    if (nobody_asks_ && opaque_) {
        return;
    }
    ++summary_.messages;
    stream((summary_.role == Role::server) == (head.direction == proto::Direction::request)).astray = false;
    if (tls_ && head.direction == proto::Direction::request) {
        proto::Head noted = head;
        note_tls(noted, summary_);
        sink_.head(*this, noted, moment(head.direction, head.begin));
        return;
    }
    sink_.head(*this, head, moment(head.direction, head.begin));
}

void Connection::end(const proto::End& end) {
    if (nobody_asks_ && opaque_) {
        return;
    }
    const std::uint64_t last = end.end > 0 ? end.end - 1 : 0;
    sink_.end(*this, end, moment(end.direction, last));
}

void Connection::upgraded(std::string_view protocol) {
    upgrade_ = protocol;
}

void Connection::lost_sync(proto::Direction, std::uint64_t) {
    ++summary_.lost_sync;
}

}  // namespace timesink::net
