#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "base/id_map.hpp"
#include "net/connection.hpp"
#include "request/answer_watch.hpp"
#include "request/connect_attempts.hpp"
#include "request/exchange.hpp"
#include "request/jobs.hpp"
#include "request/route.hpp"
#include "request/statement.hpp"
#include "request/storage_watch.hpp"
#include "request/topic_names.hpp"
#include "request/unit.hpp"

namespace timesink::request {

/// HTTP/2 names paths by a table that may be older than the attach. "/" would be a route that there is.
inline constexpr std::string_view kPathNotKnown = "(path not known)";

/// A frame of a shared exchange's request was written.
struct Carried {
    ExchangeId exchange{};
    SocketId socket{};
    ProcessId process{};
    ContextId writer{};  ///< the context current in the call; zero: not known
    Instant at{};        ///< entry of the call
    bool begins_call = false;
};

/// Told of units and exchanges as they begin and end, in the order of the events. References live until the call returns.
class Listener {
public:
    virtual ~Listener() = default;
    /// Units are numbered as they begin, those that the listener makes itself (background work) among them.
    [[nodiscard]] UnitId next_unit() { return UnitId{++units_}; }
    /// The request's header has been read. Everything up to read_begin is set.
    virtual void began(const Unit& unit) = 0;
    /// The first byte of its response was written: answering_in and first_response are set.
    virtual void answering(const Unit& unit) = 0;
    /// Exactly one call for each began; complete or not.
    virtual void ended(Unit&& unit) = 0;
    /// Of a job that has ended it is known now which call added it to its queue, and when that was sent.
    virtual void added(UnitId job, ExchangeId by, Instant at) { (void)job, (void)by, (void)at; }
    /// The first byte of an outgoing request was written.
    virtual void sent(const Exchange& exchange) = 0;
    /// Of exchanges that are shared, follows sent() for the first frame, and comes again for each that has content or is the
    /// last.
    virtual void carried(const Carried& frame) { (void)frame; }
    /// Exactly one call for each sent; complete or not.
    virtual void answered(Exchange&& exchange) = 0;
    /// A connection that this thread uses had lost bytes: messages may be missing in what the thread works for.
    virtual void lost(ProcessId process, ThreadId thread) = 0;

    /// A number that was given elsewhere; later ones are larger.
    void taken(UnitId id) { units_ = std::max(units_, number(id)); }
    [[nodiscard]] UnitId last_unit() const { return UnitId{units_}; }

private:
    std::uint64_t units_ = 0;
};

/// Makes units of the messages on accepted connections and exchanges of those on opened ones, and of exchanges with queues jobs.
/// The one place where requests and responses are paired: by the parser's correlation, never by time (a reply that is read late
/// would be paired with a later request, as seen in other tracers under pipelining).
class Tracker final : public net::MessageSink {
public:
    Tracker(Listener& listener, RouteTable& routes) : listener_(listener), routes_(routes), jobs_(routes) {}

    void head(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte) override;
    void end(net::Connection& connection, const proto::End& end, const net::Moment& last_byte) override;
    void content(net::Connection& connection, const proto::Content& content) override;
    void lost(net::Connection& connection, ThreadId finder) override;
    void not_understood(net::Connection& connection, ThreadId mover) override;
    void abandoned(net::Connection& connection) override;
    void closed(net::Connection& connection) override;
    void connecting(net::Connection& connection) override { open_[connection.id()].attempt = next_exchange(); }

    /// Units that began earlier are older than the attach.
    void attached(Instant at) { attached_ = at; }
    /// Exchanges are numbered as they begin, those that come by no connection among them.
    [[nodiscard]] ExchangeId next_exchange() { return ExchangeId{++exchanges_}; }
    [[nodiscard]] ExchangeId last_exchange() const { return ExchangeId{exchanges_}; }
    /// Numbers up to this one were given elsewhere. Before the first event.
    void taken(ExchangeId id) { exchanges_ = number(id); }
    /// Ends everything that is open as unfinished.
    void finish();

private:
    struct OpenUnit {
        Unit unit;
        std::uint64_t request_begin = 0;
        std::uint64_t response_begin = 0;
        bool answering = false;
        std::unique_ptr<AnswerWatch> watch;  ///< null: its bodies are not read
    };
    struct OpenExchange {
        Exchange exchange;
        std::uint64_t request_begin = 0;
        std::uint64_t response_begin = 0;
        std::uint64_t carried = 0;  ///< where the frame begins that was told of last
        bool answering = false;
        std::unique_ptr<AnswerWatch> watch;     ///< null: its bodies are not read
        std::unique_ptr<StorageWatch> storage;  ///< null: it is not with object storage
    };
    using OpenUnits = std::map<proto::Correlation, OpenUnit>;
    using OpenExchanges = std::map<proto::Correlation, OpenExchange>;
    struct PerConnection {
        OpenUnits units;
        OpenExchanges exchanges;
        ExchangeId attempt{};     // to connect; it has its number from when it was made
        Instant latest_answer{};  // when the latest exchange's reply was whole in the kernel
        bool used = false;        // the connect time has been charged to an exchange
    };

    void request_head(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte);
    void begin_unit(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte);
    void begin_exchange(net::Connection& connection, const proto::Head& head, const net::Moment& first_byte);
    void name_exchange(Exchange& exchange, const proto::Head& head);
    static void name_storage(Exchange& exchange, const StorageCall& call);
    void name_topics(Exchange& exchange, const proto::Head& head) const;
    void name_statement(Exchange& exchange, const proto::Head& head);
    void unit_response(PerConnection& open, const proto::Head& head, const net::Moment& first_byte);
    void exchange_response(PerConnection& open, const proto::Head& head, const net::Moment& first_byte);
    void carry(OpenExchange& at, const net::Connection& connection, std::uint64_t frame);
    void end_unit_message(const net::Connection& connection, const proto::End& end, const net::Moment& last_byte);
    void end_exchange_message(const net::Connection& connection, const proto::End& end, const net::Moment& last_byte);
    static void conclude(OpenExchange& at, std::uint64_t position);
    void sent_one_way(PerConnection& open, OpenExchanges::iterator at, const proto::End& end, const net::Moment& last_byte);
    void tell_answered(Exchange&& exchange);
    void end_jobs(SocketId connection, Exclusion why);
    void end_all(PerConnection& open, const std::string& error);

    Listener& listener_;
    RouteTable& routes_;
    ShapeCache shapes_;
    TopicNames topics_;
    ConnectAttempts attempts_;
    Jobs jobs_;
    IdMap<SocketId, PerConnection> open_;
    // Nodes that are free: units and exchanges come and go all the time, one or two of a connection at once.
    std::vector<OpenUnits::node_type> spare_units_;
    std::vector<OpenExchanges::node_type> spare_exchanges_;
    Instant attached_{};
    std::uint64_t exchanges_ = 0;
};

}  // namespace timesink::request
