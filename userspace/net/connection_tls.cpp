#include <algorithm>
#include <cstring>
#include <utility>

#include "net/connection.hpp"

/// The part of a connection that reads what its TLS library was given and gave.
namespace timesink::net {

namespace {

/// Alerts, key updates and the like are sent for nothing that was given; what is longer was given, and the record of it was lost.
constexpr std::uint64_t kMostOfTheLibrarys = 64;

/// The captured part of what [begin, end) of it is.
event::Bytes head_of(const TlsLayer::Sent& piece) {
    const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(piece.begin, piece.head.size()));
    const auto to = static_cast<std::size_t>(std::min<std::uint64_t>(piece.end, piece.head.size()));
    return event::Bytes(piece.head).subspan(from, to - from);
}
event::Bytes tail_of(const TlsLayer::Sent& piece) {
    const std::uint64_t begin = piece.length - piece.tail.size();
    const std::uint64_t from = std::max(begin, piece.begin);
    return piece.end <= from ? event::Bytes{}
                             : event::Bytes(piece.tail)
                                   .subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(piece.end - from));
}

}  // namespace

void Connection::secured(const proto::Secured& facts) {
    summary_.server_name = facts.server_name;
    summary_.tls_version = facts.version;
    tls_suite_ = facts.suite;
    tls_open_ = facts.open;
    tls_open_from_ = facts.open_from;
    if (facts.random_known) {
        hello_seen_ = true;
        std::memcpy(&tls_name_, facts.client_random.data(), sizeof(tls_name_));
    }
}

/// From here on the streams are those of the plaintext. What was told of the ciphertext is over: the handshake, and for a
/// connection from before the attach perhaps a turn.
void Connection::begin_clear() {
    if (parser_ && summary_.protocol == "tls") {
        parser_->finish(proto::Direction::request, position(proto::Direction::request), *this);
    }
    if (parser_) {
        drop_parser();
    }
    cipher_expected_ = {stream(true).expected, stream(false).expected};
    tls_ = std::make_unique<TlsLayer>(stream(true).expected, std::move(stream(true).times), tls_suite_);
    if (hello_seen_ && summary_.role == Role::client) {
        tls_->asks_first();
    }
    streams_ = {};
    early_.clear();
    early_bytes_ = early_calls_ = 0;
    opaque_ = false;
    upgrade_.clear();
    summary_.protocol.clear();
    summary_.in_clear = true;
}

/// Until the handshake is over the library takes nothing: a program that gives it something has to do so again (Node.js does).
/// What is given last before the end is seen is what will be sent.
void Connection::wait_for_handshake(const event::Plaintext& plain) {
    constexpr std::size_t kMostWaiting = 16;
    const bool refused = summary_.tls_version.empty();  // not even the ServerHello was read
    std::erase_if(waiting_, [&](const Waiting& before) {
        return before.plain.buffer + before.plain.length == plain.buffer + plain.length;
    });
    if (refused || waiting_.size() >= kMostWaiting) {
        return;
    }
    Waiting& added = waiting_.emplace_back(Waiting{plain, {plain.head.begin(), plain.head.end()}});
    added.captured.insert(added.captured.end(), plain.tail.begin(), plain.tail.end());
    added.plain.head = event::Bytes(added.captured).first(plain.head.size());
    added.plain.tail = event::Bytes(added.captured).last(plain.tail.size());
}

/// The handshake ended with this call, which may have moved some of what was given before.
void Connection::send_what_waited(const event::Call& call) {
    begin_clear();
    for (const Waiting& waited : waiting_) {
        tls_->given(waited.plain, {});
    }
    waiting_.clear();
    const std::uint64_t end = call.stream_begin + static_cast<std::uint64_t>(call.result);
    if (call.operation == TS_OPERATION_WRITE && summary_.role == Role::client && end > tls_open_from_) {
        event::Call rest = call;
        rest.result = static_cast<std::int64_t>(std::min<std::uint64_t>(end - tls_open_from_, end - call.stream_begin));
        std::uint64_t unexplained = 0;  // of the handshake
        send(tls_->written(rest, unexplained));
    }
}

void Connection::on(const event::Plaintext& plain, std::vector<CapturedPiece> pieces) {
    summary_.last_seen = std::max(summary_.last_seen, plain.at);
    if (closed_) {
        return;
    }
    if (!tls_ && !tls_open_ && hello_seen_ && plain.operation == TS_OPERATION_WRITE) {
        wait_for_handshake(plain);
        return;
    }
    if (!tls_) {
        begin_clear();
    }
    if (plain.operation == TS_OPERATION_WRITE) {
        tls_->given(plain, std::move(pieces));
        return;
    }
    send(tls_->answered());
    Moment moment = tls_->decrypted(plain.length);
    if (!moment.known) {  // the call was lost; the library's return is what is known
        moment.entered = moment.exited = plain.at;
        moment.thread = plain.thread;
    }
    Stream& way = stream(true);
    const std::uint64_t end = way.expected + plain.length;
    way.times.moved(way.expected, end, moment.entered, moment.exited, moment.thread, plain.process, moment.context);
    if (moment.arrival_known) {
        way.times.arrived(end, moment.arrived);
    }
    take(true, plain.length, plain.head, plain.tail, true, {plain.number, 0});
}

void Connection::send(const std::vector<TlsLayer::Sent>& pieces) {
    Stream& way = stream(false);
    for (const TlsLayer::Sent& piece : pieces) {
        const std::uint64_t length = piece.end - piece.begin;
        if (piece.known) {
            way.times.moved(way.expected, way.expected + length, piece.entered, piece.exited, piece.thread, piece.process,
                            piece.context);
        }
        way.pieces = piece.pieces;
        for (CapturedPiece& captured : way.pieces) {
            captured.position += way.expected - piece.begin;
        }
        take(false, length, head_of(piece), tail_of(piece), piece.end == piece.length, {piece.number, piece.begin});
    }
}

void Connection::transfer_ciphertext(const event::Call& call) {
    const bool read = call.operation == TS_OPERATION_READ;
    const auto length = static_cast<std::uint64_t>(call.result);
    (read ? summary_.bytes_read : summary_.bytes_written) += length;
    std::uint64_t& expected = cipher_expected_[read ? 0 : 1];
    if (expected != kPositionUnknown && call.stream_begin > expected) {
        const std::uint64_t missing = call.stream_begin - expected;
        summary_.bytes_lost += missing;
        if (!read) {
            send(tls_->missed(missing));
        }
        sink_.lost(*this, call.thread);
    }
    expected = call.stream_begin + length;
    if (read) {
        tls_->read(call);
        tell_arrivals(call, tls_->read_times(), false);
        return;
    }
    std::uint64_t unexplained = 0;
    send(tls_->written(call, unexplained));
    if (unexplained > kMostOfTheLibrarys && stream(false).expected > 0) {
        ++summary_.lost_sync;
        sink_.lost(*this, call.thread);
    }
}

}  // namespace timesink::net
