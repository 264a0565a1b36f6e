#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "event/event.hpp"
#include "proto/parser.hpp"
#include "request/answer_stream.hpp"

namespace timesink::request {

/// `background`: what a request went on doing after it had been answered.
enum class UnitKind : std::uint8_t { request, job, background };

/// Why a unit is kept out of the figures; counted by reason in the report. `none`: it is in them.
enum class Exclusion : std::uint8_t {
    none,
    older_than_attach,  ///< its first byte was there before the probes
    loss,               ///< events were lost while it ran
    unfinished,         ///< the run, the connection or the process ended before the response did
    not_decoded,        ///< its bytes could not be followed
};

/// System calls of one class made while the unit's threads worked for it alone.
struct CallTotals {
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    std::uint64_t nanoseconds = 0;
    std::uint64_t bytes = 0;

    CallTotals& operator+=(const CallTotals& other) {
        calls += other.calls;
        errors += other.errors;
        nanoseconds += other.nanoseconds;
        bytes += other.bytes;
        return *this;
    }
    CallTotals& operator-=(const CallTotals& other) {
        calls -= other.calls;
        errors -= other.errors;
        nanoseconds -= other.nanoseconds;
        bytes -= other.bytes;
        return *this;
    }
    friend CallTotals operator-(CallTotals to, const CallTotals& from) { return to -= from; }
    friend bool operator==(const CallTotals&, const CallTotals&) = default;
};
using CallsByClass = std::array<CallTotals, TS_CLASS_COUNT>;
struct ClassCalls {
    ts_call_class call_class;
    CallTotals totals;
};

/// An inbound request, from the first byte in the server's kernel socket to the last byte of the response accepted by the kernel;
/// or a job, from the first byte of the reply that hands it out to the exit of the call that settles it: then client is not set,
/// server names the queue, and socket names the job alone. Of background work: from its request's end, or what it did first,
/// until its last call was answered; what is of a connection or a response is not set, and method, path, route and server are its
/// request's.
struct Unit {
    UnitId id{};
    UnitId request{};  ///< of background work: whose; of a job: who added it to its queue, where that is known; zero for others
    UnitKind kind = UnitKind::request;
    std::string protocol;  ///< "http"
    std::string method;
    std::string path;   ///< without query
    std::string route;  ///< folded path; see request/route.hpp
    int status = 0;
    std::string error;
    event::Endpoint client;
    event::Endpoint server;
    SocketId socket{};
    std::uint32_t network_namespace = 0;  ///< of the socket; zero: not known
    std::uint64_t position = 0;           ///< of its first byte in the stream
    ExchangeId added_by{};                ///< of a job: the call that added it to its queue, where that was seen; zero for others
    Instant added{};                      ///< ditto, its entry
    ExchangeId caller{};                  ///< the exchange of a traced process whose other end it is; zero: none
    ProcessId process{};
    ThreadId thread{};          ///< that read the request
    ContextId read_in{};        ///< the context current in the call that read its first byte; zero: not known
    ThreadId answered_by{};     ///< that wrote the end of the response
    ContextId answering_in{};   ///< the context current in the call that wrote the first byte of the response; zero: not known
    ContextId answered_in{};    ///< ditto, that wrote its end
    Instant connected{};        ///< handshake completed (first request of a connection seen from its start), else zero
    Instant accepted{};         ///< accept returned, ditto
    Instant begin{};            ///< first byte in the kernel
    Instant request_arrived{};  ///< last byte of the request in the kernel
    Instant read_begin{};       ///< exit of the call that read the first byte
    Instant read_end{};         ///< exit of the call that read the last byte of the request (as far as it was read)
    Instant first_response{};   ///< entry of the call that wrote the first byte of the response
    Instant end{};              ///< exit of the call that wrote the last byte of the response
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    bool complete = false;
    Exclusion exclusion = Exclusion::none;
    // Resources, of the threads that worked for this unit alone; `resources_known` false: shared thread, nothing can be said
    bool resources_known = false;
    Duration cpu{};
    Duration run_queue{};
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    /// Of the classes that were used, ascending. Not an array by class: thousands of units wait for their account, and most use
    /// two or three classes.
    std::vector<ClassCalls> calls;
    proto::Attributes attributes;
    std::shared_ptr<const StreamFigures> stream;  ///< null: the response was no stream of events
};

}  // namespace timesink::request
