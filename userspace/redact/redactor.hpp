#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "base/time.hpp"
#include "redact/digest.hpp"

namespace timesink::redact {

/// Masks the payload in records before they are written or analysed, so that both see the same: each byte of it is masked ('x')
/// unless a protocol's parser says that it is one of those that say what a message is (proto::Sink::keep). Records keep their
/// number, order, sizes, times and positions; facts lose the values of command lines. docs/adr/0015 says why and what stays.
///
/// It follows the connections as the analysis does (net::Connections, the same parsers), and lets go of a record kHold after its
/// time: until then a parser may yet say what its bytes are, when the rest of their message has come. Owned by the record
/// command; used from one thread. Memory: the records of kHold, kMostHeld at most, and the open connections.
class Redactor {
public:
    /// Gets whole records, masked, in the order in which they were pushed.
    using Output = std::function<void(std::span<const std::byte>)>;

    static constexpr Duration kHold = std::chrono::milliseconds(500);
    static constexpr std::size_t kMostHeld = std::size_t{64} << 20;

    explicit Redactor(Output output, const Secret& secret = make_secret());
    ~Redactor();
    Redactor(const Redactor&) = delete;
    Redactor& operator=(const Redactor&) = delete;

    /// Whole records, as event::Merge gets them. An Error: bytes that are no records; what came before them stands.
    Status push(std::span<const std::byte> records);
    /// Lets go of everything. Once, as the last call.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace timesink::redact
