#include "net/tls_layer.hpp"

#include <algorithm>
#include <utility>

#include "proto/tls/record.hpp"

namespace timesink::net {

namespace {

constexpr std::size_t kMostGiven = 4096;

/// Header, nonce, type and tag of a record; too few rather than too many, for what is overestimated never seems to be sent.
std::uint64_t overhead_of(std::uint16_t suite) {
    constexpr std::uint64_t kOlderCounter = 5 + 8 + 16;  // RFC 5288: GCM's explicit nonce
    const bool older_gcm = (suite >= 0x9c && suite <= 0xa7) || (suite >= 0xc02b && suite <= 0xc032);
    const bool older_chacha = suite >= 0xcca8 && suite <= 0xccae;
    return older_gcm ? kOlderCounter : older_chacha ? 5 + 16 : 5 + 1 + 16;
}

}  // namespace

TlsLayer::TlsLayer(std::uint64_t read_position, ByteTimes read_times, std::uint16_t suite)
    : overhead_(overhead_of(suite)), read_end_(read_position), decrypted_(read_position), read_times_(std::move(read_times)) {}

std::uint64_t TlsLayer::cipher_length(std::uint64_t plain) const {
    return plain + (plain + proto::tls::kMostPlain - 1) / proto::tls::kMostPlain * overhead_;
}

void TlsLayer::read(const event::Call& call) {
    const std::uint64_t begin = call.stream_begin;
    const std::uint64_t end = begin + static_cast<std::uint64_t>(call.result);
    read_times_.moved(begin, end, call.entered, call.exited, call.thread, call.process, call.context);
    // A library reads on when it has decrypted what it had, but for a record that is not whole.
    decrypted_ = std::max(decrypted_, begin);
    read_end_ = std::max(read_end_, end);
}

Moment TlsLayer::decrypted(std::uint64_t length) {
    unasked_ = false;
    decrypted_ = std::min(decrypted_ + cipher_length(length), read_end_);
    return decrypted_ > 0 ? read_times_.at(decrypted_ - 1) : Moment{};
}

/// A call that found no room is made again with the same bytes, or with those that are left of them (SSL_write(3)).
bool TlsLayer::repeats(const event::Plaintext& plain) const {
    if (given_.empty()) {
        return false;
    }
    const Given& last = given_.back();
    return last.library == plain.library && last.buffer + last.length == plain.buffer + plain.length &&
           plain.buffer >= last.buffer;
}

void TlsLayer::given(const event::Plaintext& plain, std::vector<CapturedPiece> pieces) {
    Given fresh{.length = plain.length,
                .buffer = plain.buffer,
                .library = plain.library,
                .cipher_length = cipher_length(plain.length),
                .repeated = repeats(plain),
                .head = {plain.head.begin(), plain.head.end()},
                .tail = {plain.tail.begin(), plain.tail.end()},
                .pieces = std::move(pieces),
                .context = plain.context,
                .number = plain.number};
    given_.push_back(std::move(fresh));
    if (given_.size() > kMostGiven) {
        given_.pop_front();
    }
}

TlsLayer::Sent TlsLayer::part(Given& given, std::uint64_t to) const {
    Sent sent = last_call_;
    sent.begin = given.sent;
    sent.end = to;
    sent.length = given.length;
    sent.number = given.number;
    if (given.context != ContextId{}) {
        sent.context = given.context;
    }
    if (sent.begin < given.head.size()) {
        sent.head = given.head;
    }
    if (to > given.length - given.tail.size()) {
        sent.tail = given.tail;
    }
    for (const CapturedPiece& piece : given.pieces) {
        const std::uint64_t from = std::max(piece.position, sent.begin);
        const std::uint64_t end = std::min(piece.position + piece.bytes.size(), to);
        if (from < end) {
            const auto first = piece.bytes.begin() + static_cast<std::ptrdiff_t>(from - piece.position);
            sent.pieces.push_back({from,
                                   {first, first + static_cast<std::ptrdiff_t>(end - from)},
                                   piece.number,
                                   piece.offset + (from - piece.position)});
        }
    }
    given.sent = to;
    return sent;
}

std::vector<TlsLayer::Sent> TlsLayer::written(const event::Call& call, std::uint64_t& unexplained) {
    last_call_ = Sent{};
    last_call_.known = true;
    last_call_.entered = call.entered;
    last_call_.exited = call.exited;
    last_call_.thread = call.thread;
    last_call_.process = call.process;
    last_call_.context = call.context;
    unexplained = static_cast<std::uint64_t>(call.result);
    std::vector<Sent> sent = send(unexplained);
    if (unasked_ && !sent.empty()) {
        decrypted_ = std::max(decrypted_, read_times_.reached());
    }
    return sent;
}

std::vector<TlsLayer::Sent> TlsLayer::missed(std::uint64_t length) {
    last_call_ = Sent{};
    return send(length);
}

/// `length`: of the ciphertext; becomes what of it nothing was given for.
std::vector<TlsLayer::Sent> TlsLayer::send(std::uint64_t& length) {
    std::vector<Sent> sent;
    while (length > 0 && !given_.empty()) {
        Given& front = given_.front();
        const std::uint64_t taken = std::min(length, front.cipher_length - front.cipher);
        front.cipher += taken;
        length -= taken;
        const bool whole = front.cipher == front.cipher_length;
        const std::uint64_t to = whole ? front.length : std::min(front.length, front.cipher * front.length / front.cipher_length);
        if (to > front.sent) {
            sent.push_back(part(front, to));
        }
        if (!whole) {
            break;
        }
        given_.pop_front();
        // What looks like a repetition was one, unless there is ciphertext for it in this very call.
        while (length == 0 && !given_.empty() && given_.front().repeated) {
            given_.pop_front();
        }
    }
    return sent;
}

std::vector<TlsLayer::Sent> TlsLayer::answered() {
    std::vector<Sent> sent;
    while (!given_.empty() && given_.front().cipher >= given_.front().length) {
        if (given_.front().sent < given_.front().length) {
            sent.push_back(part(given_.front(), given_.front().length));
        }
        given_.pop_front();
    }
    return sent;
}

}  // namespace timesink::net
