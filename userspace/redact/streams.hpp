#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "net/connections.hpp"
#include "redact/bodies.hpp"

namespace timesink::redact {

/// Follows the connections, and says which bytes of which record may be recorded as what. Owned by the Redactor.
class Streams final : public event::Consumer, private net::MessageSink, private net::ConnectionSink {
public:
    /// `byte` at `offset` of what the record of this number moved.
    using Put = std::function<void(std::uint64_t number, std::uint64_t offset, std::string_view bytes)>;
    Streams(Put put, const Secret& secret) : put_(std::move(put)), secret_(secret), connections_(*this, *this) {}

    void on(const event::Call& call) override;
    void on(const event::Payload& piece) override;
    void on(const event::OffCpu&) override {}
    /// What has arrived may still be read once the connection is gone.
    void on(const event::Arrival& arrival) override { connections_.on(arrival); }
    void on(const event::Socket& socket) override { connections_.on(socket); }
    void on(const event::SocketState& state) override { connections_.on(state); }
    void on(const event::Retransmit&) override {}
    void on(const event::Task&) override {}
    void on(const event::Lineage&) override {}
    void on(const event::LoopPhase&) override {}
    void on(const event::EngineName&) override {}
    void on(const event::EngineCall&) override {}
    void on(const event::Plaintext& plain) override;
    void on(const event::Loss&) override {}
    void on(const event::Fact& fact) override;
    void advance(Instant) override {}

    /// Of the event that is handed on next.
    void next(std::uint64_t number) { number_ = number; }
    /// Records below are gone.
    void gone_before(std::uint64_t number) { gone_before_ = number; }

private:
    /// Bytes of a stream and where they are.
    struct Segment {
        std::uint64_t position;
        std::uint64_t bytes;
        net::Origin origin;
    };
    struct Followed {
        explicit Followed(const Secret& secret) : bodies(secret) {}
        std::deque<Segment> read;
        std::deque<Segment> written;
        Bodies bodies;
    };

    void head(net::Connection& connection, const proto::Head& head, const net::Moment&) override;
    void end(net::Connection& connection, const proto::End& end, const net::Moment&) override;
    void content(net::Connection& connection, const proto::Content& content) override;
    void lost(net::Connection&, ThreadId) override {}
    void not_understood(net::Connection&, ThreadId) override {}
    void abandoned(net::Connection& connection) override;
    void closed(net::Connection& connection) override { followed_.erase(&connection); }
    [[nodiscard]] bool redacts() const override { return true; }
    void passed(net::Connection& connection, bool read, std::uint64_t position, std::size_t bytes, net::Origin origin) override;
    [[nodiscard]] std::string masked(std::string_view text, proto::Kept kind) const override;
    void keep(net::Connection& connection, bool read, std::uint64_t position, std::string_view text, proto::Kept kind) override;
    void connection(const net::ConnectionSummary&) override {}

    Followed& followed(net::Connection& connection);
    void put(const std::deque<Segment>& segments, std::uint64_t position, std::string_view text);
    [[nodiscard]] BodyMask::Put put_in(net::Connection& connection, proto::Direction direction);

    Put put_;
    const Secret& secret_;
    std::uint64_t number_ = 0;
    std::uint64_t gone_before_ = 0;
    std::unordered_map<const net::Connection*, std::unique_ptr<Followed>> followed_;
    net::Connections connections_;  ///< last: it is told of nothing when the others are gone
};

}  // namespace timesink::redact
