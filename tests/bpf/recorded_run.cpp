#include "recorded_run.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace timesink::test {

Subject::Subject(const Body& prepare, const Body& act) {
    std::array<int, 2> go{};
    std::array<int, 2> ready{};
    if (pipe(go.data()) != 0 || pipe(ready.data()) != 0) {
        throw std::runtime_error("pipe");
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        close(ready[0]);
        alarm(50);  // never outlives a test that went wrong
        const int prepared = prepare();
        char byte = 1;
        if (prepared != 0 || write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) {
            _exit(100 + prepared);
        }
        _exit(act());
    }
    close(go[0]);
    close(ready[1]);
    go_ = go[1];
    pid_ = static_cast<std::uint32_t>(pid);
    char byte = 0;
    while (read(ready[0], &byte, 1) < 0 && errno == EINTR) {
    }
    close(ready[0]);
}

Subject::~Subject() {
    if (go_ >= 0) {
        close(go_);
    }
    if (!reaped_) {
        kill(static_cast<pid_t>(pid_), SIGKILL);
        waitpid(static_cast<pid_t>(pid_), &status_, 0);
    }
}

void Subject::go() {
    const char byte = 1;
    ASSERT_EQ(write(go_, &byte, 1), 1);
}

bool Subject::ended() {
    if (!reaped_ && waitpid(static_cast<pid_t>(pid_), &status_, WNOHANG) == static_cast<pid_t>(pid_)) {
        reaped_ = true;
    }
    return reaped_;
}

namespace {

template <typename Record>
Record as(std::span<const std::byte> bytes, std::size_t& malformed) {
    Record record{};
    if (bytes.size() < sizeof(Record)) {
        malformed++;
    } else {
        std::memcpy(&record, bytes.data(), sizeof(Record));
    }
    return record;
}

RecordedCall as_call(std::span<const std::byte> bytes, std::size_t& malformed) {
    RecordedCall recorded{.call = as<ts_call>(bytes, malformed), .counts = {}, .head = {}, .tail = {}};
    const auto& call = recorded.call;
    std::size_t at = sizeof(ts_call);
    const std::size_t size = at + call.counts * sizeof(ts_call_count) + call.head_bytes + call.tail_bytes;
    if ((size + 7) / 8 * 8 != bytes.size()) {
        malformed++;
        return recorded;
    }
    recorded.counts.resize(call.counts);
    if (call.counts != 0) {
        std::memcpy(recorded.counts.data(), bytes.data() + at, call.counts * sizeof(ts_call_count));
    }
    at += call.counts * sizeof(ts_call_count);
    recorded.head.assign(reinterpret_cast<const char*>(bytes.data()) + at, call.head_bytes);
    recorded.tail.assign(reinterpret_cast<const char*>(bytes.data()) + at + call.head_bytes, call.tail_bytes);
    return recorded;
}

}  // namespace

void Records::take(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto head = as<ts_event_head>(bytes, malformed);
        if (head.size < sizeof(head) || head.size > bytes.size() || head.size % 8 != 0) {
            malformed++;
            return;
        }
        const auto record = bytes.first(head.size);
        bytes = bytes.subspan(head.size);
        sequences[head.cpu].push_back(head.sequence);
        switch (head.kind) {
            case TS_EVENT_CALL:
                calls.push_back(as_call(record, malformed));
                break;
            case TS_EVENT_OFF_CPU:
                off_cpus.push_back(as<ts_off_cpu>(record, malformed));
                break;
            case TS_EVENT_ARRIVAL:
                arrivals.push_back(as<ts_arrival>(record, malformed));
                break;
            case TS_EVENT_SOCKET:
                sockets.push_back(as<ts_socket>(record, malformed));
                break;
            case TS_EVENT_SOCKET_STATE:
                states.push_back(as<ts_socket_state>(record, malformed));
                break;
            case TS_EVENT_TASK:
                tasks.push_back(as<ts_task>(record, malformed));
                break;
            case TS_EVENT_LOSS:
                losses.push_back(as<ts_loss>(record, malformed));
                break;
            case TS_EVENT_ENGINE_CALL:
                engine_calls.push_back(as<ts_engine_call>(record, malformed));
                break;
            case TS_EVENT_FACT: {
                const auto fact = as<ts_fact>(record, malformed);
                facts.push_back(nlohmann::json::parse(
                    std::string(reinterpret_cast<const char*>(record.data()) + sizeof(ts_fact), fact.json_bytes)));
                break;
            }
            case TS_EVENT_WATERMARK:
            case TS_EVENT_RETRANSMIT:
            case TS_EVENT_ENGINE_NAME:
                break;
            default:
                malformed++;
        }
    }
}

std::vector<RecordedCall> Records::on_socket(std::uint64_t socket, ts_operation operation) const {
    std::vector<RecordedCall> found;
    for (const auto& recorded : calls) {
        if (recorded.call.socket == socket && recorded.call.operation == operation) {
            found.push_back(recorded);
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.call.head.time < b.call.head.time; });
    return found;
}

std::uint64_t Records::moved(std::uint64_t socket, ts_operation operation) const {
    std::uint64_t sum = 0;
    for (const auto& recorded : on_socket(socket, operation)) {
        if (recorded.call.result > 0 && (recorded.call.flags & TS_CALL_PEEK) == 0) {
            sum += static_cast<std::uint64_t>(recorded.call.result);
        }
    }
    return sum;
}

const ts_socket* Records::socket_of_origin(ts_socket_origin origin, std::uint16_t family) const {
    for (const auto& socket : sockets) {
        if (socket.origin == origin && socket.family == family) {
            return &socket;
        }
    }
    return nullptr;
}

ts_call_count Records::count(ts_call_class call_class) const {
    ts_call_count sum{};
    for (const auto& recorded : calls) {
        for (const auto& count : recorded.counts) {
            if (count.call_class == call_class) {
                sum.calls += count.calls;
                sum.errors += count.errors;
                sum.bytes += count.bytes;
                sum.nanoseconds += count.nanoseconds;
            }
        }
    }
    return sum;
}

nlohmann::json Records::fact(const std::string& name) const {
    for (const auto& fact : facts) {
        if (fact.value("fact", "") == name) {
            return fact;
        }
    }
    return {};
}

Recorded record(Subject& subject, live::SessionOptions options) {
    Recorded recorded;
    if (options.selection.pids.empty() && options.selection.ports.empty()) {
        options.selection.pids = {subject.pid()};
    }
    auto session = live::Session::open(options, [&](std::span<const std::byte> bytes) { recorded.run.take(bytes); });
    if (!session) {
        recorded.skipped = session.error().what;
        const bool cannot = session.error().errno_value == EPERM || session.error().errno_value == ENOENT;
        EXPECT_TRUE(cannot) << session.error().what;
        return recorded;
    }
    subject.go();
    while (!subject.ended()) {
        std::this_thread::sleep_for((*session)->drain_interval());
        const auto drained = (*session)->drain();
        EXPECT_TRUE(drained.ok());
    }
    EXPECT_EQ(subject.status(), 0) << "the subject did not do what it should";
    const auto closed = (*session)->close();
    EXPECT_TRUE(closed.ok());
    recorded.probes = (*session)->probes();
    EXPECT_EQ(recorded.run.malformed, 0U);
    return recorded;
}

}  // namespace timesink::test
