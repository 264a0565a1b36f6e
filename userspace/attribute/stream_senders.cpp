#include "attribute/stream_senders.hpp"

#include <algorithm>
#include <utility>

namespace timesink::attribute {

namespace {

bool holds(const std::vector<ExchangeId>& ids, ExchangeId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Or is it; or may, for the chain was cut.
bool comes_from(const ContextRef& context, const ContextRef& from) {
    const Context* at = context.get();
    while (at != from.get() && at->made != Instant{} && at->parent != nullptr) {
        at = at->parent.get();
    }
    const bool cut = at->parent == nullptr && at->depth > 0;
    return at == from.get() || cut;
}

}  // namespace

void StreamSenders::opened(const request::Exchange& exchange) {
    OnConnection& connection = connections_[exchange.socket];
    connection.several_threads =
        connection.several_threads || (connection.thread != ThreadId{} && connection.thread != exchange.sent_by);
    connection.thread = exchange.sent_by;
    connection.buffers = exchange.protocol == "http";
    connection.streams.push_back({.exchange = exchange.id, .sent = exchange.sent, .closed = Instant::max(), .sender = nullptr});
    forget(connection);
    limit();
}

/// Connections are forgotten when they have been without a request, oldest or not: it costs a decision at most.
void StreamSenders::limit() {
    if (connections_.size() <= kMostIdle) {
        return;
    }
    std::vector<SocketId> idle;
    connections_.for_each([&](SocketId socket, const OnConnection& connection) {
        if (open(connection) == 0) {
            idle.push_back(socket);
        }
    });
    for (const SocketId socket : idle) {
        connections_.erase(socket);
    }
}

std::size_t StreamSenders::open(const OnConnection& connection) {
    return static_cast<std::size_t>(std::count_if(connection.streams.begin(), connection.streams.end(),
                                                  [](const Stream& stream) { return stream.closed == Instant::max(); }));
}

bool StreamSenders::mixes_threads(SocketId socket) const {
    const OnConnection* const connection = connections_.find(socket);
    return connection != nullptr && connection->several_threads && open(*connection) > 1;
}

void StreamSenders::closed(const request::Exchange& exchange, Instant at) {
    OnConnection* const connection = connections_.find(exchange.socket);
    if (connection == nullptr) {
        return;
    }
    const auto found = std::find_if(connection->streams.begin(), connection->streams.end(),
                                    [&](const Stream& stream) { return stream.exchange == exchange.id; });
    if (found != connection->streams.end()) {
        found->closed = at;
    }
}

void StreamSenders::lost() {
    connections_ = {};
}

/// The oldest.
void StreamSenders::forget(OnConnection& connection) {
    if (connection.streams.size() <= kMostRemembered) {
        return;
    }
    connection.forgotten = connection.streams.front().sent;
    connection.streams.erase(connection.streams.begin());
}

bool StreamSenders::is_open(const OnConnection& connection, ExchangeId id) {
    return std::any_of(connection.streams.begin(), connection.streams.end(),
                       [&](const Stream& stream) { return stream.exchange == id && stream.closed == Instant::max(); });
}

/// It may be reading an answer, or what it has done there is not known.
bool StreamSenders::says_nothing(const OnConnection& connection, const ContextRef& writer) {
    const Instant since = std::max(writer->made, writer->elsewhere);
    return writer->made == Instant{} || since <= connection.forgotten ||
           std::any_of(connection.streams.begin(), connection.streams.end(), [&](const Stream& stream) {
               return stream.sender == writer && (stream.closed == Instant::max() || stream.sent >= since);
           });
}

/// What it may have sent.
std::vector<ExchangeId> StreamSenders::unknown_to(const OnConnection& connection, const Context& writer) {
    const Instant since = std::max(writer.made, writer.elsewhere);
    std::vector<ExchangeId> unknown;
    for (const Stream& stream : connection.streams) {
        if (stream.sender == nullptr && stream.sent >= since) {
            unknown.push_back(stream.exchange);
        }
    }
    return unknown;
}

void StreamSenders::suspect(OnConnection& connection, const ContextRef& writer) {
    std::vector<ExchangeId> unknown = unknown_to(connection, *writer);
    const auto known = std::find_if(connection.suspects.begin(), connection.suspects.end(),
                                    [&](const Suspect& suspect) { return suspect.context == writer; });
    if (known != connection.suspects.end()) {
        const bool goes_on =
            std::all_of(known->may_be.begin(), known->may_be.end(), [&](ExchangeId id) { return is_open(connection, id); });
        if (goes_on && !known->may_be.empty()) {
            std::erase_if(known->may_be, [&](ExchangeId id) { return !holds(unknown, id); });
            return;
        }
        connection.suspects.erase(known);  // it may have gone on to another
    }
    if (connection.suspects.size() >= kMostSuspects) {
        connection.suspects.erase(connection.suspects.begin());
    }
    if (!unknown.empty()) {
        connection.suspects.push_back({writer, std::move(unknown)});
    }
}

void StreamSenders::decide(OnConnection& connection, ExchangeId exchange, const ContextRef& sender,
                           std::vector<Decision>& decisions) {
    const ContextRef kept = sender;  // it may be a suspect's
    for (Stream& stream : connection.streams) {
        if (stream.exchange == exchange) {
            stream.sender = kept;
            if (stream.closed == Instant::max()) {
                decisions.push_back({exchange, kept});
            }
        }
    }
    std::erase_if(connection.suspects, [&](Suspect& suspect) {
        std::erase(suspect.may_be, exchange);
        return suspect.context == kept || suspect.may_be.empty();
    });
}

void StreamSenders::settle(OnConnection& connection, std::vector<Decision>& decisions) {
    const auto certain = [](const Suspect& suspect) { return suspect.may_be.size() == 1; };
    for (;;) {
        const auto found = std::find_if(connection.suspects.begin(), connection.suspects.end(), certain);
        if (found == connection.suspects.end()) {
            return;
        }
        const ExchangeId exchange = found->may_be.front();
        decide(connection, exchange, found->context, decisions);
    }
}

bool StreamSenders::written_by_callers(OnConnection& connection, const ContextRef& writer) {
    ContextRef& first = connection.first_writer;  // whose making was seen
    first = first == nullptr && writer->made != Instant{} ? writer : first;
    const bool told = first != nullptr && writer->made != Instant{};
    connection.callers_write = connection.callers_write || (told && !comes_from(writer, first) && !comes_from(first, writer));
    return connection.callers_write;
}

void StreamSenders::carried(const request::Carried& frame, const ContextRef& writer, std::vector<Decision>& decisions) {
    OnConnection* const connection = connections_.find(frame.socket);
    if (connection == nullptr) {
        return;
    }
    const bool same_call = !frame.begins_call && connection->at == frame.at && connection->writer == writer;
    if (!same_call) {
        connection->at = frame.at;
        connection->writer = writer;
        connection->begins_with_frame = frame.begins_call;
    }
    if (writer == nullptr) {
        return;
    }
    if (!connection->buffers && written_by_callers(*connection, writer)) {
        decide(*connection, frame.exchange, writer, decisions);
        return;
    }
    if (connection->several_threads) {
        if (open(*connection) == 1) {
            decide(*connection, frame.exchange, writer, decisions);
        }
        return;
    }
    if (says_nothing(*connection, writer)) {
        return;
    }
    if (!same_call) {
        suspect(*connection, writer);
    } else if (connection->begins_with_frame) {
        for (Suspect& each : connection->suspects) {
            if (each.context == writer) {
                std::erase(each.may_be, frame.exchange);
            }
        }
    }
    settle(*connection, decisions);
}

}  // namespace timesink::attribute
