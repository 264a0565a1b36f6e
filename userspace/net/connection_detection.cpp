#include <utility>

#include "net/connection.hpp"
#include "proto/opaque/opaque.hpp"

/// The part of a connection that finds out what is spoken.
namespace timesink::net {

namespace {

/// A protocol that has not shown itself within so many calls or bytes is taken as unknown (and still looked for at each new
/// turn).
constexpr std::size_t kEarlyCalls = 12;
constexpr std::size_t kEarlyCallsUndecided = 256;  // while a parser may still recognise the begin of a message
constexpr std::size_t kEarlyBytes = std::size_t{32} * 1024;

}  // namespace

void Connection::detect(bool read, std::uint64_t position, event::Bytes piece, bool ends_call) {
    Early* const last = early_.empty() ? nullptr : &early_.back();
    if (last != nullptr && last->read == read && last->missing_after == 0) {
        last->bytes.insert(last->bytes.end(), piece.begin(), piece.end());  // one message in several calls
        last->ends_call = ends_call;
    } else {
        early_.push_back({read, position, {piece.begin(), piece.end()}, 0, ends_call});
    }
    ++early_calls_;
    early_bytes_ += piece.size();
    const event::Bytes bytes(early_.back().bytes);
    const bool roles_known = summary_.role != Role::unknown;
    bool undecided = false;
    for (const proto::Protocol& protocol : proto::registry()) {
        const proto::Match match = protocol.detect(roles_known ? direction_of(read) : proto::Direction::request, bytes);
        undecided = undecided || match == proto::Match::maybe;
        if (match == proto::Match::yes) {
            if (!roles_known) {
                // Who asks is the client: sockets whose making was not seen (inherited, passed over a unix socket).
                summary_.role = read ? Role::server : Role::client;
            }
            const bool is_first = early_.size() == 1;
            const Early known = early_.back();
            choose(protocol.name, protocol.make());
            if (!parser_ && !is_first) {
                // What was before is not of it: attached in the middle of an answer, say.
                early_.push_back(known);
                choose(protocol.name, protocol.make());
            }
            return;
        }
    }
    if (early_calls_ >= (undecided ? kEarlyCallsUndecided : kEarlyCalls) || early_bytes_ >= kEarlyBytes) {
        if (!roles_known) {
            summary_.role = early_.front().read ? Role::server : Role::client;
            nobody_asks_ = !arrivals_have_positions_;
        }
        choose("unknown", proto::make_opaque());
    }
}

void Connection::choose(std::string_view name, std::unique_ptr<proto::Parser> parser) {
    summary_.protocol = name;
    parser_ = std::move(parser);
    opaque_ = name == "unknown";
    // Bytes of the same direction that follow each other are one message in parts; what precedes a gap is told as a gap.
    std::vector<Early> early;
    early.swap(early_);
    early_bytes_ = early_calls_ = 0;
    for (Stream& way : streams_) {
        way.held.clear();
    }
    for (const Early& piece : early) {
        if (!parser_) {
            break;  // it found that the bytes are not its own after all
        }
        Stream& way = stream(piece.read);
        const std::uint64_t end = piece.position + piece.bytes.size();
        const std::uint64_t expected = way.expected;
        if (!piece.bytes.empty()) {
            parse(piece.read, piece.position, piece.bytes, piece.ends_call);
        }
        if (parser_ && piece.missing_after > 0) {
            skip(piece.read, end, end + piece.missing_after);
        }
        way.expected = expected;
    }
}

}  // namespace timesink::net
