#include "net/tls_adjacency.hpp"

#include <algorithm>
#include <array>

#include "proto/tls/record.hpp"

namespace timesink::net {

namespace {

constexpr std::size_t kMost = 4096;  // threads, and connections that never prove anything
constexpr int kTimesWanted = 2;
constexpr std::uint64_t kHeader = 5;
/// What a record has beside its plaintext: TLS 1.3; 1.2 with GCM; 1.2 with ChaCha20. What CBC adds is not one number.
constexpr std::array<std::uint64_t, 3> kOverheads = {22, 29, 21};

bool fits(const event::Call& call, std::uint64_t plain) {
    if (call.head.size() < kHeader || call.result <= 0) {
        return false;
    }
    const auto byte = [&](std::size_t at) { return std::to_integer<std::uint64_t>(call.head[at]); };
    if (byte(0) != 23 || byte(1) != 3 || byte(2) != 3) {
        return false;
    }
    const std::uint64_t records = (plain + proto::tls::kMostPlain - 1) / proto::tls::kMostPlain;
    const std::uint64_t first = (byte(3) << 8 | byte(4)) + kHeader;
    return std::any_of(kOverheads.begin(), kOverheads.end(), [&](std::uint64_t overhead) {
        // A socket of which the library is the owner is written to record by record.
        const std::uint64_t one = std::min<std::uint64_t>(plain, proto::tls::kMostPlain) + overhead;
        const auto length = static_cast<std::uint64_t>(call.result);
        return first == one && (length == plain + records * overhead || length == one);
    });
}

}  // namespace

void TlsAdjacency::given(const event::Plaintext& plain) {
    if (given_.size() >= kMost) {
        given_.clear();
    }
    Given& last = given_[plain.thread];
    last.doubtful = last.doubtful || (last.name != 0 && last.name != plain.connection);
    last.name = plain.connection;
    last.length = plain.length;
}

std::uint64_t TlsAdjacency::sent(const event::Call& call, bool may_be) {
    const auto found = given_.find(call.thread);
    if (found == given_.end()) {
        return 0;
    }
    const Given given = found->second;
    given_.erase(found);
    if (given.doubtful || !may_be || !fits(call, given.length)) {
        return 0;
    }
    if (proofs_.size() >= kMost) {
        proofs_.clear();
    }
    Proof& proof = proofs_[given.name];
    proof.contradicted = proof.contradicted || (proof.times > 0 && proof.socket != call.socket);
    proof.socket = call.socket;
    ++proof.times;
    if (proof.contradicted || proof.times < kTimesWanted) {
        return 0;
    }
    proofs_.erase(given.name);
    return given.name;
}

}  // namespace timesink::net
