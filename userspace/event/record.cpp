#include "event/record.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/pace.hpp"
#include "event/printed.hpp"

namespace timesink::event {
namespace {

constexpr std::uint64_t kLatestTime = std::uint64_t{1} << 62;  // 146 years of uptime; leaves room for adding to it
/// UIO_MAXIOV messages (sendmmsg) of MAX_RW_COUNT bytes each: no call can move more. Keeps sums of positions far from overflow.
constexpr std::int64_t kMostBytesPerCall = std::int64_t{1024} << 31;
constexpr std::int64_t kMaximumErrno = 4095;  // include/linux/err.h
constexpr std::uint64_t kLastPosition = std::uint64_t{1} << 62;

/// Records lie in an array of bytes that was filled with memcpy, which creates the objects in it (C++20 [intro.object]).
template <typename Record>
const Record& as(Bytes record) {
    return *reinterpret_cast<const Record*>(record.data());
}

std::size_t smallest_size(std::uint16_t kind) {
    switch (kind) {
        case TS_EVENT_CALL:
            return sizeof(ts_call);
        case TS_EVENT_PAYLOAD:
            return sizeof(ts_payload);
        case TS_EVENT_OFF_CPU:
            return sizeof(ts_off_cpu);
        case TS_EVENT_ARRIVAL:
            return sizeof(ts_arrival);
        case TS_EVENT_SOCKET:
            return sizeof(ts_socket);
        case TS_EVENT_SOCKET_STATE:
            return sizeof(ts_socket_state);
        case TS_EVENT_RETRANSMIT:
            return sizeof(ts_retransmit);
        case TS_EVENT_TASK:
            return sizeof(ts_task);
        case TS_EVENT_LOSS:
            return sizeof(ts_loss);
        case TS_EVENT_LINEAGE:
            return sizeof(ts_lineage);
        case TS_EVENT_LOOP_PHASE:
            return sizeof(ts_loop_phase);
        case TS_EVENT_PLAINTEXT:
            return sizeof(ts_plaintext);
        case TS_EVENT_ENGINE_NAME:
            return sizeof(ts_engine_name);
        case TS_EVENT_ENGINE_CALL:
            return sizeof(ts_engine_call);
        case TS_EVENT_WATERMARK:
            return sizeof(ts_watermark);
        case TS_EVENT_FACT:
            return sizeof(ts_fact);
        default:
            return 0;
    }
}

bool moves_bytes(const ts_call& call) {
    return call.operation == TS_OPERATION_READ || call.operation == TS_OPERATION_WRITE;
}

/// At the record's end, behind the padding.
constexpr std::size_t kContextBytes = sizeof(std::uint64_t);

bool is_sound(const ts_call& call, std::size_t size) {
    const std::size_t payload = std::size_t{call.head_bytes} + call.tail_bytes;
    const std::size_t needed = sizeof(ts_call) + call.counts * sizeof(ts_call_count) + payload +
                               ((call.flags & TS_CALL_CONTEXT) != 0 ? kContextBytes : 0);
    if (needed > size || call.entered > call.head.time) {
        return false;
    }
    if (call.operation < TS_OPERATION_READ || call.operation > TS_OPERATION_SHUTDOWN) {
        return false;
    }
    if (call.result < -kMaximumErrno || call.result > kMostBytesPerCall) {
        return false;
    }
    if (payload != 0 && (!moves_bytes(call) || call.result < 0 || payload > static_cast<std::uint64_t>(call.result))) {
        return false;
    }
    if (moves_bytes(call) && call.result > 0 && call.stream_begin > kLastPosition) {
        return false;
    }
    const auto* counts = reinterpret_cast<const ts_call_count*>(&call + 1);
    return std::all_of(counts, counts + call.counts,
                       [](const ts_call_count& count) { return count.call_class < TS_CLASS_COUNT; });
}

bool is_sound(const ts_payload& piece) {
    return piece.bytes > 0 && sizeof(ts_payload) + piece.bytes <= piece.head.size && piece.entered <= piece.head.time &&
           piece.position <= kLastPosition && (piece.operation == TS_OPERATION_READ || piece.operation == TS_OPERATION_WRITE);
}

bool is_sound(const ts_off_cpu& off_cpu) {
    return off_cpu.off <= off_cpu.woken && off_cpu.woken <= off_cpu.head.time && off_cpu.state <= TS_OFF_OTHER;
}

bool is_sound(const ts_socket& socket) {
    return socket.origin >= TS_SOCKET_CONNECT && socket.origin <= TS_SOCKET_LISTEN && socket.is_server <= 2 &&
           socket.rx_position <= kLastPosition && socket.tx_position <= kLastPosition && socket.unread <= kLastPosition;
}

bool is_sound(const ts_arrival& arrival) {
    return arrival.stream_end <= kLastPosition || arrival.stream_end == TS_POSITION_UNKNOWN;
}

bool is_sound(const ts_task& task) {
    return task.operation >= TS_TASK_FORK && task.operation <= TS_TASK_EXIT;
}

bool is_sound(const ts_lineage& lineage) {
    return lineage.child != 0 && lineage.child != lineage.parent;
}

bool is_sound(const ts_loop_phase& phase) {
    return phase.phase >= TS_LOOP_TIMERS && phase.phase <= TS_LOOP_IMMEDIATE;
}

bool is_sound(const ts_plaintext& plain) {
    const std::size_t payload = std::size_t{plain.head_bytes} + plain.tail_bytes;
    return plain.length > 0 && plain.length <= TS_PLAINTEXT_MOST && payload <= plain.length &&
           sizeof(ts_plaintext) + payload <= plain.head.size &&
           (plain.operation == TS_OPERATION_READ || plain.operation == TS_OPERATION_WRITE);
}

bool is_sound(const ts_engine_name& name) {
    return name.number != 0 && name.entered <= name.head.time && sizeof(ts_engine_name) + name.text_bytes <= name.head.size &&
           (name.subject == TS_ENGINE_DATABASE || name.subject == TS_ENGINE_STATEMENT);
}

bool is_sound(const ts_engine_call& call) {
    if (call.execution == 0 || call.stage == TS_ENGINE_BEGIN) {
        return call.execution != 0;
    }
    return call.stage == TS_ENGINE_END && call.first <= call.last && call.last <= call.head.time && call.inside <= call.last;
}

bool is_sound(const ts_loss& loss) {
    return loss.first <= loss.last && loss.last <= kLatestTime;
}

ThreadId thread_of(const ts_event_head& head) {
    return ThreadId{head.tid};
}

ContextId context_of(const ts_call& call) {
    std::uint64_t context = 0;
    if ((call.flags & TS_CALL_CONTEXT) != 0) {
        std::memcpy(&context, reinterpret_cast<const std::byte*>(&call) + call.head.size - kContextBytes, kContextBytes);
    }
    return ContextId{context};
}

Call typed(const ts_call& call) {
    const auto* counts = reinterpret_cast<const ts_call_count*>(&call + 1);
    const auto* payload = reinterpret_cast<const std::byte*>(counts + call.counts);
    return Call{
        .entered = instant_from_ns(call.entered),
        .exited = instant_from_ns(call.head.time),
        .thread = thread_of(call.head),
        .process = ProcessId{call.pid},
        .socket = SocketId{call.socket},
        .thread_sequence = call.thread_sequence,
        .operation = static_cast<ts_operation>(call.operation),
        .result = call.result,
        .stream_begin = call.stream_begin,
        .fd = call.fd,
        .syscall = call.syscall,
        .flags = call.flags,
        .minor_faults = call.minor_faults,
        .major_faults = call.major_faults,
        .counts = {counts, call.counts},
        .head = {payload, call.head_bytes},
        .tail = {payload + call.head_bytes, call.tail_bytes},
        .context = context_of(call),
    };
}

Payload typed(const ts_payload& piece) {
    const bool is_clear = (piece.flags & TS_PAYLOAD_CLEAR) != 0;
    return Payload{
        .socket = SocketId{is_clear ? 0 : piece.socket},
        .library = is_clear ? piece.socket : 0,
        .thread = thread_of(piece.head),
        .clear = is_clear,
        .operation = static_cast<ts_operation>(piece.operation),
        .position = piece.position,
        .bytes = {reinterpret_cast<const std::byte*>(&piece + 1), piece.bytes},
    };
}

OffCpu typed(const ts_off_cpu& off_cpu) {
    return OffCpu{
        .off = instant_from_ns(off_cpu.off),
        .woken = instant_from_ns(off_cpu.woken),
        .on = instant_from_ns(off_cpu.head.time),
        .thread = thread_of(off_cpu.head),
        .process = ProcessId{off_cpu.pid},
        .thread_sequence = off_cpu.thread_sequence,
        .waker = ThreadId{off_cpu.waker_tid},
        .waker_syscall = off_cpu.waker_syscall,
        .syscall = off_cpu.syscall,
        .fd = off_cpu.fd,
        .state = static_cast<ts_off_cpu_state>(off_cpu.state),
        .iowait = (off_cpu.flags & TS_OFF_IOWAIT) != 0,
    };
}

Lineage typed(const ts_lineage& lineage) {
    return Lineage{instant_from_ns(lineage.head.time), thread_of(lineage.head),   ProcessId{lineage.pid},
                   ContextId{lineage.child},           ContextId{lineage.parent}, lineage.start};
}

Plaintext typed(const ts_plaintext& plain) {
    const auto* payload = reinterpret_cast<const std::byte*>(&plain + 1);
    return Plaintext{
        .at = instant_from_ns(plain.head.time),
        .thread = thread_of(plain.head),
        .process = ProcessId{plain.pid},
        .operation = static_cast<ts_operation>(plain.operation),
        .library = plain.library,
        .connection = plain.connection,
        .buffer = plain.buffer,
        .length = plain.length,
        .head = {payload, plain.head_bytes},
        .tail = {payload + plain.head_bytes, plain.tail_bytes},
        .context = ContextId{plain.context},
        .by_socket = (plain.flags & TS_PLAINTEXT_SOCKET) != 0,
    };
}

EngineName typed(const ts_engine_name& name) {
    return EngineName{
        .entered = instant_from_ns(name.entered),
        .at = instant_from_ns(name.head.time),
        .thread = thread_of(name.head),
        .process = ProcessId{name.pid},
        .number = name.number,
        .database = name.database,
        .subject = static_cast<ts_engine_subject>(name.subject),
        .cut = (name.flags & TS_ENGINE_CUT) != 0,
        .text = {reinterpret_cast<const std::byte*>(&name + 1), name.text_bytes},
        .context = ContextId{name.context},
    };
}

EngineCall typed(const ts_engine_call& call) {
    return EngineCall{
        .at = instant_from_ns(call.head.time),
        .thread = thread_of(call.head),
        .process = ProcessId{call.pid},
        .stage = static_cast<ts_engine_stage>(call.stage),
        .execution = call.execution,
        .statement = call.statement,
        .context = ContextId{call.context},
        .first = instant_from_ns(call.first),
        .last = instant_from_ns(call.last),
        .inside = Duration(static_cast<std::int64_t>(call.stage == TS_ENGINE_END ? call.inside : 0)),
        .rows = call.rows,
        .result = call.result,
        .reset = (call.flags & TS_ENGINE_RESET) != 0,
    };
}

Socket typed(const ts_socket& socket) {
    Socket typed{
        .at = instant_from_ns(socket.head.time),
        .socket = SocketId{socket.socket},
        .thread = thread_of(socket.head),
        .process = ProcessId{socket.pid},
        .fd = socket.fd,
        .rx_position = socket.rx_position,
        .tx_position = socket.tx_position,
        .unread = socket.unread,
        .network_namespace = socket.network_namespace,
        .family = socket.family,
        .type = socket.type,
        .origin = static_cast<ts_socket_origin>(socket.origin),
        .is_server = socket.is_server,
        .local = {},
        .remote = {},
    };
    if (socket.family == AF_UNIX) {
        // Only the server's end has a name.
        const bool ours = socket.is_server == 1 || socket.origin == TS_SOCKET_LISTEN;
        (ours ? typed.local : typed.remote).address = printed_path(socket.unix_path);
    } else {
        typed.local = {printed_address(socket.family, socket.local_address), socket.local_port};
        typed.remote = {printed_address(socket.family, socket.remote_address), socket.remote_port};
    }
    return typed;
}

Task typed(const ts_task& task) {
    const char* end = std::find(task.comm, task.comm + sizeof(task.comm), '\0');
    return Task{
        .at = instant_from_ns(task.head.time),
        .operation = static_cast<ts_task_operation>(task.operation),
        .thread = thread_of(task.head),
        .process = ProcessId{task.pid},
        .parent_process = ProcessId{task.parent_pid},
        .parent_thread = ThreadId{task.parent_tid},
        .comm = {task.comm, static_cast<std::size_t>(end - task.comm)},
    };
}

/// Of a call: a piece of its payload stands where it does.
Instant order_key(std::uint8_t operation, Instant entered, Instant time, Duration lateness) {
    if (operation != TS_OPERATION_WRITE && operation != TS_OPERATION_CONNECT) {
        return time;
    }
    return time - entered <= lateness ? entered : time;
}

}  // namespace

std::optional<ts_event_head> read_head(Bytes bytes) {
    ts_event_head head;
    if (bytes.size() < sizeof(head)) {
        return std::nullopt;
    }
    std::memcpy(&head, bytes.data(), sizeof(head));
    if (head.size < sizeof(head) || head.size % kRecordAlignment != 0 || head.size > bytes.size()) {
        return std::nullopt;
    }
    return head;
}

Validity check(Bytes record) {
    const auto& head = as<ts_event_head>(record);
    const std::size_t smallest = smallest_size(head.kind);
    if (head.time > kLatestTime) {
        return Validity::malformed;  // of an unknown kind, too: its time counts
    }
    if (smallest == 0) {
        return Validity::unknown_kind;
    }
    if (head.size < smallest) {
        return Validity::malformed;
    }
    bool sound = true;
    switch (head.kind) {
        case TS_EVENT_CALL:
            sound = is_sound(as<ts_call>(record), head.size);
            break;
        case TS_EVENT_PAYLOAD:
            sound = is_sound(as<ts_payload>(record));
            break;
        case TS_EVENT_OFF_CPU:
            sound = is_sound(as<ts_off_cpu>(record));
            break;
        case TS_EVENT_ARRIVAL:
            sound = is_sound(as<ts_arrival>(record));
            break;
        case TS_EVENT_SOCKET:
            sound = is_sound(as<ts_socket>(record));
            break;
        case TS_EVENT_TASK:
            sound = is_sound(as<ts_task>(record));
            break;
        case TS_EVENT_LOOP_PHASE:
            sound = is_sound(as<ts_loop_phase>(record));
            break;
        case TS_EVENT_PLAINTEXT:
            sound = is_sound(as<ts_plaintext>(record));
            break;
        case TS_EVENT_ENGINE_NAME:
            sound = is_sound(as<ts_engine_name>(record));
            break;
        case TS_EVENT_ENGINE_CALL:
            sound = is_sound(as<ts_engine_call>(record));
            break;
        case TS_EVENT_LOSS:
            sound = is_sound(as<ts_loss>(record));
            break;
        case TS_EVENT_LINEAGE:
            sound = is_sound(as<ts_lineage>(record));
            break;
        case TS_EVENT_FACT:
            sound = as<ts_fact>(record).json_bytes <= head.size - sizeof(ts_fact);
            break;
        default:
            break;
    }
    return sound ? Validity::valid : Validity::malformed;
}

Instant order_key(Bytes record, Duration lateness) {
    const auto& head = as<ts_event_head>(record);
    const Instant time = instant_from_ns(head.time);
    if (head.kind == TS_EVENT_LOSS) {
        return std::max(instant_from_ns(as<ts_loss>(record).first), time - lateness);
    }
    if (head.kind == TS_EVENT_PAYLOAD) {
        const auto& piece = as<ts_payload>(record);
        return order_key(piece.operation, instant_from_ns(piece.entered), time, lateness);
    }
    if (head.kind != TS_EVENT_CALL) {
        return time;
    }
    const auto& call = as<ts_call>(record);
    return order_key(call.operation, instant_from_ns(call.entered), time, lateness);
}

void hand_on(Bytes record, Consumer& consumer) {
    Pace::point();
    const auto& head = as<ts_event_head>(record);
    switch (head.kind) {
        case TS_EVENT_CALL:
            consumer.on(typed(as<ts_call>(record)));
            break;
        case TS_EVENT_PAYLOAD:
            consumer.on(typed(as<ts_payload>(record)));
            break;
        case TS_EVENT_OFF_CPU:
            consumer.on(typed(as<ts_off_cpu>(record)));
            break;
        case TS_EVENT_ARRIVAL: {
            const auto& arrival = as<ts_arrival>(record);
            consumer.on(Arrival{instant_from_ns(head.time), SocketId{arrival.socket}, arrival.stream_end});
            break;
        }
        case TS_EVENT_SOCKET:
            consumer.on(typed(as<ts_socket>(record)));
            break;
        case TS_EVENT_SOCKET_STATE: {
            const auto& change = as<ts_socket_state>(record);
            consumer.on(SocketState{instant_from_ns(head.time), SocketId{change.socket}, change.old_state, change.new_state,
                                    change.error});
            break;
        }
        case TS_EVENT_RETRANSMIT:
            consumer.on(Retransmit{instant_from_ns(head.time), SocketId{as<ts_retransmit>(record).socket}});
            break;
        case TS_EVENT_TASK:
            consumer.on(typed(as<ts_task>(record)));
            break;
        case TS_EVENT_LINEAGE:
            consumer.on(typed(as<ts_lineage>(record)));
            break;
        case TS_EVENT_LOOP_PHASE: {
            const auto& phase = as<ts_loop_phase>(record);
            consumer.on(LoopPhase{instant_from_ns(head.time), thread_of(head), ProcessId{phase.pid},
                                  static_cast<ts_loop_phase_kind>(phase.phase), phase.polls});
            break;
        }
        case TS_EVENT_PLAINTEXT:
            consumer.on(typed(as<ts_plaintext>(record)));
            break;
        case TS_EVENT_ENGINE_NAME:
            consumer.on(typed(as<ts_engine_name>(record)));
            break;
        case TS_EVENT_ENGINE_CALL:
            consumer.on(typed(as<ts_engine_call>(record)));
            break;
        case TS_EVENT_LOSS: {
            const auto& loss = as<ts_loss>(record);
            consumer.on(Loss{instant_from_ns(loss.first), instant_from_ns(loss.last), loss.count, head.cpu});
            break;
        }
        default:
            break;
    }
}

nlohmann::json read_fact(Bytes record) {
    const auto& fact = as<ts_fact>(record);
    const char* text = reinterpret_cast<const char*>(&fact + 1);
    nlohmann::json body = nlohmann::json::parse(text, text + fact.json_bytes, nullptr, /*allow_exceptions=*/false);
    if (body.is_object()) {
        const auto name = body.find("fact");
        if (name != body.end() && name->is_string()) {
            return body;
        }
    }
    return nullptr;
}

std::string_view fact_name(const nlohmann::json& body) {
    return body.find("fact")->get_ref<const std::string&>();
}

}  // namespace timesink::event
