#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "timesink/abi/events.h"

/// Typed events: what the analysis sees of a record of include/timesink/abi/events.h, after validation. Field meanings are those
/// of the ABI header; spans point into the buffer of the Merge and live until the consumer returns.
namespace timesink::event {

using Bytes = std::span<const std::byte>;

struct Call {
    Instant entered;
    Instant exited;
    ThreadId thread;
    ProcessId process;
    SocketId socket;
    std::uint32_t thread_sequence;
    ts_operation operation;
    std::int64_t result;         ///< bytes or -errno
    std::uint64_t stream_begin;  ///< READ, WRITE
    std::int32_t fd;
    std::uint16_t syscall;
    std::uint8_t flags;  ///< ts_call_flag
    std::uint32_t minor_faults;
    std::uint32_t major_faults;
    std::span<const ts_call_count> counts;
    Bytes head;
    Bytes tail;
    ContextId context{};       ///< current on the thread; zero: none, or not known
    std::uint64_t number = 0;  ///< names the record for a consumer that wants to find it again (redact/); 0: it has no name
};

/// More of what a call moved that comes next, from between its head and its tail.
struct Payload {
    SocketId socket;        ///< `clear`: none
    std::uint64_t library;  ///< `clear`: as of Plaintext
    ThreadId thread;
    bool clear;              ///< of the Plaintext that the thread writes next, whose positions are from its begin
    ts_operation operation;  ///< READ or WRITE
    std::uint64_t position;  ///< of the first byte
    Bytes bytes;
    std::uint64_t number = 0;  ///< as of Call
};

struct OffCpu {
    Instant off;
    Instant woken;
    Instant on;
    ThreadId thread;
    ProcessId process;
    std::uint32_t thread_sequence;
    ThreadId waker;
    std::int16_t waker_syscall;
    std::int16_t syscall;
    std::int32_t fd;
    ts_off_cpu_state state;
    bool iowait;
};

struct Arrival {
    Instant at;
    SocketId socket;
    std::uint64_t stream_end;  ///< TS_POSITION_UNKNOWN for unix sockets
};

/// An address as printed: "127.0.0.1", "::1", a unix path, "@name" for abstract ones. Port 0 for unix sockets.
struct Endpoint {
    std::string address;
    std::uint16_t port = 0;
    // clang-tidy 14 takes the zero that the result is compared with for a pointer.
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;  // NOLINT(modernize-use-nullptr)
};

struct Socket {
    Instant at;
    SocketId socket;
    ThreadId thread;
    ProcessId process;
    std::int32_t fd;
    std::uint64_t rx_position;
    std::uint64_t tx_position;
    std::uint64_t unread;
    std::uint32_t network_namespace;
    std::uint16_t family;
    std::uint8_t type;
    ts_socket_origin origin;
    std::uint8_t is_server;  ///< 1, 0, 2 unknown
    Endpoint local;
    Endpoint remote;
};

struct SocketState {
    Instant at;
    SocketId socket;
    std::uint8_t old_state;
    std::uint8_t new_state;
    std::uint16_t error = 0;  ///< closed: why, by the kernel; an errno, 0: not told
};

struct Retransmit {
    Instant at;
    SocketId socket;
};

struct Task {
    Instant at;
    ts_task_operation operation;
    ThreadId thread;
    ProcessId process;
    ProcessId parent_process;
    ThreadId parent_thread;
    std::string_view comm;
};

/// A context was made; what was known of another one of this id is over.
struct Lineage {
    Instant at;
    ThreadId thread;
    ProcessId process;
    ContextId child;
    ContextId parent;     ///< of which it is a copy, or its maker; zero: made empty, or not known
    std::uint32_t start;  ///< goroutines: what it runs; zero: not told
};

/// An event loop begins a phase that no system call shows.
struct LoopPhase {
    Instant at;
    ThreadId thread;
    ProcessId process;
    ts_loop_phase_kind phase;
    std::uint16_t polls;  ///< the thread's calls of TS_CLASS_POLL since its previous Call
};

/// A program gave a TLS library bytes to encrypt (at its call's entry), or got some (at its return).
struct Plaintext {
    Instant at;
    ThreadId thread;
    ProcessId process;
    ts_operation operation;    ///< READ or WRITE
    std::uint64_t library;     ///< the library's object, an address
    std::uint64_t connection;  ///< names the connection: of the ClientHello's random, or `by_socket`; 0: not known
    std::uint64_t buffer;      ///< address
    std::uint64_t length;
    Bytes head;
    Bytes tail;
    ContextId context{};       ///< WRITE; zero: none, or not known
    std::uint64_t number = 0;  ///< as of Call
    bool by_socket = false;    ///< `connection` is the id of its socket
};

/// An engine in the process opened a database or prepared a statement. Numbers are unique within the run.
struct EngineName {
    Instant entered;
    Instant at;  ///< it returned
    ThreadId thread;
    ProcessId process;
    std::uint64_t number;    ///< never zero
    std::uint64_t database;  ///< of a statement: the number of its database
    ts_engine_subject subject;
    bool cut;  ///< the text goes on
    Bytes text;
    ContextId context{};
};

/// An execution in the process began, or is over.
struct EngineCall {
    Instant at;  ///< BEGIN: the first step was entered
    ThreadId thread;
    ProcessId process;
    ts_engine_stage stage;
    std::uint64_t execution;
    std::uint64_t statement;  ///< BEGIN; zero: not known
    ContextId context;        ///< BEGIN; zero: none, or not known
    Instant first;            ///< END: the first step returned
    Instant last;             ///< END: the last step returned; first <= last <= at
    Duration inside;          ///< END: in all steps together
    std::uint32_t rows;       ///< END
    std::int32_t result;      ///< END: sqlite3.h
    bool reset;               ///< END: given up by the program
};

/// A goroutine (TS_CONTEXT_GOROUTINE); not its name before it has a number.
constexpr bool is_goroutine(ContextId id) {
    return (static_cast<std::uint64_t>(id) & TS_CONTEXT_GOROUTINE) != 0;
}
constexpr bool is_birth_name(ContextId id) {
    return (static_cast<std::uint64_t>(id) & (TS_CONTEXT_GOROUTINE | TS_CONTEXT_BIRTH)) == TS_CONTEXT_BIRTH;
}

/// Records of one CPU were lost between the two times. Made from ts_loss records and from sequence gaps alike.
struct Loss {
    Instant first;
    Instant last;
    std::uint64_t count;
    std::uint16_t cpu;
};

/// "fact" names what it says; docs/event-abi.md lists them (host, target, process, thread, listener, probe, sample, drops,
/// own_cost).
struct Fact {
    Instant at;
    std::string_view name;
    const nlohmann::json& body;
};

/// Gets all events of a run in time order. The key of the order is `exited` for reads and `entered` for writes and connects: the
/// answer to a write may be read by another thread before the write returns. A loss stands at its `first`: what it touched comes
/// after.
class Consumer {
public:
    virtual ~Consumer() = default;
    virtual void on(const Call&) = 0;
    virtual void on(const Payload&) = 0;
    virtual void on(const OffCpu&) = 0;
    virtual void on(const Arrival&) = 0;
    virtual void on(const Socket&) = 0;
    virtual void on(const SocketState&) = 0;
    virtual void on(const Retransmit&) = 0;
    virtual void on(const Task&) = 0;
    virtual void on(const Lineage&) = 0;
    virtual void on(const LoopPhase&) = 0;
    virtual void on(const Plaintext&) = 0;
    virtual void on(const EngineName&) = 0;
    virtual void on(const EngineCall&) = 0;
    virtual void on(const Loss&) = 0;
    virtual void on(const Fact&) = 0;
    /// No event older than `at` will follow. Called after each batch; time-outs and memory bounds hang on it.
    virtual void advance(Instant at) = 0;
    /// All events of this attach have been handed on. What follows is of another one, which knows nothing of this one's sockets
    /// and threads: they have other numbers, and what happened in between was not seen.
    virtual void detached() {}
};

}  // namespace timesink::event
