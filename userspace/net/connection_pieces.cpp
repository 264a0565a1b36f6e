#include "net/connection.hpp"

/// The part of a connection that puts together what was captured of the middle of calls.
namespace timesink::net {

namespace {

/// As many as the kernel side writes of one call; those before them are of calls whose records were lost.
constexpr std::size_t kMostPieces = 16;

}  // namespace

void Connection::on(const event::Payload& piece) {
    std::vector<Piece>& pieces = stream(piece.operation == TS_OPERATION_READ).pieces;
    if (tls_) {
        return;  // of ciphertext nothing is read
    }
    if (pieces.size() >= kMostPieces) {
        pieces.erase(pieces.begin());
    }
    pieces.push_back({piece.position, {piece.bytes.begin(), piece.bytes.end()}, piece.number, 0});
}

/// Bytes up to `end` were not captured.
void Connection::miss(bool read, std::uint64_t end) {
    const std::uint64_t begin = stream(read).expected;
    if (begin < end) {
        summary_.bytes_not_captured += end - begin;
        skip(read, begin, end);
    }
}

/// What lies between the head and the tail of a call, which begins at `end`.
void Connection::take_pieces(bool read, std::uint64_t end, const std::vector<Piece>& pieces) {
    for (const Piece& piece : pieces) {
        if (piece.position >= stream(read).expected && piece.position <= end && piece.bytes.size() <= end - piece.position) {
            miss(read, piece.position);
            feed(read, piece.position, piece.bytes, false);
        }
    }
    miss(read, end);
}

/// As take_pieces() will take them.
void Connection::pass_pieces(bool read, std::uint64_t begin, std::uint64_t end, const std::vector<Piece>& pieces) {
    std::uint64_t from = begin;
    for (const Piece& piece : pieces) {
        if (piece.position >= from && piece.position <= end && piece.bytes.size() <= end - piece.position) {
            sink_.passed(*this, read, piece.position, piece.bytes.size(), {piece.number, piece.offset});
            from = piece.position + piece.bytes.size();
        }
    }
}

}  // namespace timesink::net
