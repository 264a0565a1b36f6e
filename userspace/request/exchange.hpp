#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"
#include "proto/parser.hpp"
#include "request/answer_stream.hpp"
#include "request/engine_use.hpp"
#include "request/genai_call.hpp"
#include "request/storage_call.hpp"

namespace timesink::request {

/// One outgoing request and its response on a connection of the target. Times are the kernel's; unset ones have not happened or
/// were not seen. sent <= sent_end; arrived <= arrived_end <= read_end.
struct Exchange {
    ExchangeId id{};
    std::string protocol;           ///< OTel name; "unknown" where no parser understood the bytes
    std::string operation;          ///< "SELECT", "GET", "HGETALL"
    std::string statement;          ///< shape: normalised SQL, Redis command and arity, HTTP route; empty when it cannot be named
    std::uint64_t fingerprint = 0;  ///< stable hash of protocol + statement; 0 when unnamed
    std::uint64_t likeness = 0;     ///< HTTP: fingerprint_of method, space, path without query, as they were sent; 0: not known
    std::string host;               ///< HTTP authority; else empty
    event::Endpoint local;
    event::Endpoint remote;
    SocketId socket{};
    std::uint32_t network_namespace = 0;  ///< of the socket; zero: not known
    std::uint64_t position = 0;           ///< of its first byte in the stream
    UnitId callee{};                      ///< the unit of a traced process that it is at its other end; zero: none
    ProcessId process{};
    ThreadId sent_by{};       ///< the thread whose call carried the first byte
    ContextId sent_in{};      ///< the context current in that call; zero: not known
    ThreadId read_by{};       ///< the thread that read the last byte of the response
    Instant connect_began{};  ///< first exchange of a connection that the target opened: entry of connect(); else zero
    Instant connected{};      ///< ditto: the handshake completed
    Instant sent{};           ///< entry of the call that carried the first byte
    Instant sent_end{};       ///< exit of the call that carried the last byte
    Instant server_free{};    ///< when the exchange ahead of it on this connection was answered; <= sent: nothing was ahead
    Instant arrived{};        ///< first byte of the response in the kernel
    Instant arrived_end{};    ///< last byte in the kernel
    Instant read_begin{};     ///< exit of the call that read the first byte
    Instant read_end{};       ///< exit of the call that read the last byte
    std::uint64_t bytes_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t body_out = 0;         ///< HTTP: of bytes_out, the body; content encodings are not undone
    std::uint64_t body_in = 0;          ///< ditto
    std::optional<std::uint64_t> rows;  ///< returned or changed; none: not told, or not all of the answer was seen
    std::uint64_t columns = 0;          ///< SQL: a hash of what the result's columns are; 0: not told
    int status = 0;
    std::string error;          ///< SQLSTATE, RESP error, "connection reset"; empty for success
    bool housekeeping = false;  ///< driver and pool traffic, not the application's statements
    bool adds_job = false;      ///< puts a job into a queue
    bool moves_jobs = false;    ///< asks a queue for a job or gives one back: the worker's own doing, for nobody
    /// No answer is expected (a publish without confirms, noreply): it is over when it was sent, and `arrived` to `read_end` are
    /// `sent_end`.
    bool one_way = false;
    bool complete = false;  ///< the whole response was seen; one_way: the whole request
    bool touched_by_loss = false;
    bool shared = false;  ///< whoever writes next writes what others have queued as well: Listener::carried tells who sent it
    bool in_transaction = false;  ///< the connection was inside a transaction after it
    proto::Attributes attributes;
    std::shared_ptr<const StreamFigures> stream;  ///< null: the response was no stream of events
    std::shared_ptr<const GenAiCall> genai;       ///< null: no call of a language model
    std::shared_ptr<const StorageCall> storage;   ///< null: no call of object storage (S3)
    /// Executed in the process itself: there is no connection, and `socket` names this exchange alone. `arrived` is the return of
    /// its first step, `read_end` that of its last. Null: all others.
    std::shared_ptr<EngineUse> engine;
};

}  // namespace timesink::request
