#pragma once

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "event/event.hpp"

namespace timesink::records {

/// Writes every event as one line, in the order in which it comes: what tests of the decoder and the merge compare.
class Dump final : public event::Consumer {
public:
    std::vector<std::string> lines;
    bool with_advance = true;

    void on(const event::Call& call) override {
        static constexpr const char* kNames[] = {"?", "read", "write", "connect", "accept", "close", "shutdown"};
        std::ostringstream line;
        line << kNames[call.operation] << " entered=" << to_ns(call.entered) << " exited=" << to_ns(call.exited)
             << " thread=" << number(call.thread) << " pid=" << number(call.process) << " seq=" << call.thread_sequence
             << " socket=" << number(call.socket) << " fd=" << call.fd << " result=" << call.result
             << " at=" << call.stream_begin;
        if (call.flags != 0) {
            line << " flags=" << int{call.flags};
        }
        if (call.minor_faults != 0 || call.major_faults != 0) {
            line << " faults=" << call.minor_faults << '+' << call.major_faults;
        }
        for (const ts_call_count& count : call.counts) {
            line << " class" << int{count.call_class} << '=' << count.calls << '/' << count.errors << '/' << count.nanoseconds
                 << '/' << count.bytes;
        }
        if (!call.head.empty() || !call.tail.empty()) {
            line << ' ' << quoted(call.head);
        }
        if (!call.tail.empty()) {
            line << ".." << quoted(call.tail);
        }
        if (call.context != ContextId{}) {
            line << " context=" << number(call.context);
        }
        lines.push_back(line.str());
    }
    void on(const event::OffCpu& off) override {
        static constexpr const char* kStates[] = {"preempted", "interruptible", "uninterruptible", "other"};
        std::ostringstream line;
        line << "off_cpu off=" << to_ns(off.off) << " woken=" << to_ns(off.woken) << " on=" << to_ns(off.on)
             << " thread=" << number(off.thread) << " pid=" << number(off.process) << " seq=" << off.thread_sequence << ' '
             << kStates[off.state] << " syscall=" << off.syscall << " fd=" << off.fd << " waker=" << number(off.waker) << '/'
             << off.waker_syscall << (off.iowait ? " iowait" : "");
        lines.push_back(line.str());
    }
    void on(const event::Arrival& arrival) override {
        std::ostringstream line;
        line << "arrival at=" << to_ns(arrival.at) << " socket=" << number(arrival.socket) << " end=";
        if (arrival.stream_end == TS_POSITION_UNKNOWN) {
            line << '?';
        } else {
            line << arrival.stream_end;
        }
        lines.push_back(line.str());
    }
    void on(const event::Socket& socket) override {
        static constexpr const char* kOrigins[] = {"?", "connect", "passive", "accept", "existing", "seen", "listen"};
        std::ostringstream line;
        line << "socket at=" << to_ns(socket.at) << " socket=" << number(socket.socket) << ' ' << kOrigins[socket.origin]
             << " family=" << socket.family << " server=" << int{socket.is_server} << " thread=" << number(socket.thread)
             << " pid=" << number(socket.process) << " fd=" << socket.fd << " rx=" << socket.rx_position
             << " tx=" << socket.tx_position << " unread=" << socket.unread << " local=" << socket.local.address << ':'
             << socket.local.port << " remote=" << socket.remote.address << ':' << socket.remote.port;
        lines.push_back(line.str());
    }
    void on(const event::SocketState& change) override {
        std::ostringstream line;
        line << "state at=" << to_ns(change.at) << " socket=" << number(change.socket) << ' ' << int{change.old_state} << "->"
             << int{change.new_state};
        lines.push_back(line.str());
    }
    void on(const event::Retransmit& retransmit) override {
        lines.push_back("retransmit at=" + std::to_string(to_ns(retransmit.at)) +
                        " socket=" + std::to_string(number(retransmit.socket)));
    }
    void on(const event::Task& task) override {
        static constexpr const char* kNames[] = {"?", "fork", "exec", "exit"};
        std::ostringstream line;
        line << kNames[task.operation] << " at=" << to_ns(task.at) << " thread=" << number(task.thread)
             << " pid=" << number(task.process) << " parent=" << number(task.parent_process) << '/' << number(task.parent_thread)
             << " comm=" << task.comm;
        lines.push_back(line.str());
    }
    void on(const event::Lineage& lineage) override {
        std::ostringstream line;
        line << "lineage at=" << to_ns(lineage.at) << " thread=" << number(lineage.thread) << " pid=" << number(lineage.process)
             << " child=" << number(lineage.child) << " parent=" << number(lineage.parent);
        lines.push_back(line.str());
    }
    void on(const event::LoopPhase& phase) override {
        std::ostringstream line;
        line << "loop at=" << to_ns(phase.at) << " thread=" << number(phase.thread) << " pid=" << number(phase.process)
             << " phase=" << phase.phase << " polls=" << phase.polls;
        lines.push_back(line.str());
    }
    void on(const event::Plaintext& plain) override {
        std::ostringstream line;
        line << "plaintext at=" << to_ns(plain.at) << " thread=" << number(plain.thread) << " pid=" << number(plain.process)
             << (plain.operation == TS_OPERATION_READ ? " read" : " write") << " length=" << plain.length
             << " connection=" << plain.connection << " head=" << plain.head.size() << " tail=" << plain.tail.size();
        lines.push_back(line.str());
    }
    void on(const event::Payload& piece) override {
        std::ostringstream line;
        line << "payload " << (piece.clear ? "library=" : "socket=") << (piece.clear ? piece.library : number(piece.socket))
             << (piece.operation == TS_OPERATION_READ ? " read" : " write") << " position=" << piece.position << ' '
             << quoted(piece.bytes);
        lines.push_back(line.str());
    }
    void on(const event::EngineName& name) override {
        std::ostringstream line;
        line << (name.subject == TS_ENGINE_DATABASE ? "database" : "statement") << " entered=" << to_ns(name.entered)
             << " at=" << to_ns(name.at) << " thread=" << number(name.thread) << " pid=" << number(name.process)
             << " number=" << name.number << " database=" << name.database << ' ' << quoted(name.text)
             << (name.cut ? " cut" : "");
        lines.push_back(line.str());
    }
    void on(const event::EngineCall& call) override {
        std::ostringstream line;
        line << "execution " << call.execution << (call.stage == TS_ENGINE_BEGIN ? " begins" : " ends")
             << " at=" << to_ns(call.at) << " thread=" << number(call.thread) << " pid=" << number(call.process);
        if (call.stage == TS_ENGINE_BEGIN) {
            line << " statement=" << call.statement;
        } else {
            line << " first=" << to_ns(call.first) << " last=" << to_ns(call.last) << " inside=" << to_ns(call.inside)
                 << " rows=" << call.rows << " result=" << call.result << (call.reset ? " reset" : "");
        }
        lines.push_back(line.str());
    }
    void on(const event::Loss& loss) override {
        std::ostringstream line;
        line << "loss first=" << to_ns(loss.first) << " last=" << to_ns(loss.last) << " count=" << loss.count
             << " cpu=" << loss.cpu;
        lines.push_back(line.str());
    }
    void on(const event::Fact& fact) override {
        lines.push_back("fact at=" + std::to_string(to_ns(fact.at)) + ' ' + fact.body.dump());
    }
    void detached() override { lines.emplace_back("another attach"); }
    void advance(Instant at) override {
        if (with_advance) {
            lines.push_back("advance " + std::to_string(to_ns(at)));
        }
    }

private:
    static std::string quoted(event::Bytes bytes) {
        static constexpr char kDigits[] = "0123456789abcdef";
        std::string text = "\"";
        for (const std::byte byte : bytes) {
            const auto value = std::to_integer<unsigned char>(byte);
            if (value == '"' || value == '\\') {
                text += '\\';
                text += static_cast<char>(value);
            } else if (value >= 0x20 && value < 0x7f) {
                text += static_cast<char>(value);
            } else {
                text += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
            }
        }
        return text + '"';
    }
};

}  // namespace timesink::records
