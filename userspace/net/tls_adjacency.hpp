#pragma once

#include <cstdint>
#include <map>

#include "event/event.hpp"

namespace timesink::net {

/// Finds the connection of plaintext whose handshake was before the attach, so that nothing on the wire names it: by the write
/// that follows on the thread, if it is of exactly the size that so much plaintext has when it is encrypted, and begins with a
/// record of the right length. That must be so twice, on the same connection, and never on another one. Where a thread was given
/// bytes for two connections before it sent any, neither counts. Owned by Connections.
class TlsAdjacency {
public:
    /// Bytes were given for a connection that is not known.
    void given(const event::Plaintext& plain);
    [[nodiscard]] bool waits() const { return !given_.empty(); }
    /// A write. `may_be`: it is on a connection that could be the one. The name (event::Plaintext::connection) that is proven to
    /// be this connection's now; 0: none.
    std::uint64_t sent(const event::Call& call, bool may_be);

private:
    struct Given {
        std::uint64_t name = 0;
        std::uint64_t length = 0;
        bool doubtful = false;
    };
    struct Proof {
        SocketId socket{};
        int times = 0;
        bool contradicted = false;
    };
    std::map<ThreadId, Given> given_;
    std::map<std::uint64_t, Proof> proofs_;  ///< by name
};

}  // namespace timesink::net
