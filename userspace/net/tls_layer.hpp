#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "event/event.hpp"
#include "net/byte_times.hpp"
#include "net/captured_piece.hpp"

namespace timesink::net {

/// What lies between the bytes that a TLS library took or gave in the clear and the calls that moved their ciphertext. Owned by
/// the Connection, from the first of those bytes on. Which plaintext goes with which calls is a matter of order and of sizes: of
/// plaintext n there are n + records x overhead bytes of ciphertext, where a record holds 16 KiB. Rejected: following the records
/// in the ciphertext, whose headers lie where nothing was captured as soon as a call moves several.
class TlsLayer {
public:
    /// `read_position`, `write_position`: of the ciphertext that comes next.
    TlsLayer(std::uint64_t read_position, ByteTimes read_times, std::uint16_t suite);

    /// All that is sent is seen from the first byte on, and the other end says nothing before all of the first request is sent:
    /// what has arrived by then is the library's own (RFC 8446, 4.6.1: tickets), however late it is read, and be it at once with
    /// the answer. Tickets that come behind that are still taken for the answer's begin if they are read with it.
    void asks_first() { unasked_ = true; }

    /// A call moved ciphertext; the bytes that were read lie before those that later plaintext reads get.
    void read(const event::Call& call);
    ByteTimes& read_times() { return read_times_; }

    /// The library gave so many bytes: when the last ciphertext byte that they needed was moved.
    Moment decrypted(std::uint64_t length);

    /// A part of what was given to the library, on its way now.
    struct Sent {
        std::uint64_t begin = 0;  ///< within what was given at once
        std::uint64_t end = 0;
        std::uint64_t length = 0;     ///< of that
        std::uint64_t number = 0;     ///< event::Plaintext::number
        std::vector<std::byte> head;  ///< captured of that
        std::vector<std::byte> tail;
        std::vector<CapturedPiece> pieces;  ///< of [begin, end)
        // of the call; not known: it was lost
        bool known = false;
        Instant entered{};
        Instant exited{};
        ThreadId thread{};
        ProcessId process{};
        ContextId context{};  ///< of who gave it, else of the call
    };
    /// The library was given bytes; `pieces`: captured from between their head and their tail.
    void given(const event::Plaintext& plain, std::vector<CapturedPiece> pieces = {});
    /// A call moved ciphertext: what was sent by it, in order. `unexplained`: bytes of it that nothing was given for.
    std::vector<Sent> written(const event::Call& call, std::uint64_t& unexplained);
    /// So much ciphertext was sent by calls that were lost.
    std::vector<Sent> missed(std::uint64_t length);
    /// The other end has answered: what still waits was sent all the same, but for a few bytes of overhead that are not as
    /// reckoned.
    std::vector<Sent> answered();

private:
    struct Given {
        std::uint64_t length = 0;
        std::uint64_t buffer = 0;
        std::uint64_t library = 0;
        std::uint64_t sent = 0;  // of length
        std::uint64_t cipher = 0;
        std::uint64_t cipher_length = 0;
        bool repeated = false;  // looks like the same call made again
        std::vector<std::byte> head;
        std::vector<std::byte> tail;
        std::vector<CapturedPiece> pieces;
        ContextId context{};
        std::uint64_t number = 0;
    };
    [[nodiscard]] std::uint64_t cipher_length(std::uint64_t plain) const;
    [[nodiscard]] bool repeats(const event::Plaintext& plain) const;
    std::vector<Sent> send(std::uint64_t& length);
    [[nodiscard]] Sent part(Given& given, std::uint64_t to) const;

    std::uint64_t overhead_;
    std::uint64_t read_end_;   // of the ciphertext that was read
    std::uint64_t decrypted_;  // ciphertext position up to which it is taken to be decrypted
    bool unasked_ = false;     // asks_first(), and nothing was given since
    ByteTimes read_times_;
    std::deque<Given> given_;
    Sent last_call_;  // as a pattern for what it sent
};

}  // namespace timesink::net
