#include "golden/script.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "golden/engine.hpp"
#include "golden/words.hpp"
#include "records/record.hpp"

namespace timesink::golden {
namespace {

constexpr std::uint64_t kStart = 1'000'000'000;  // ns; not 0, so that a time that was forgotten shows
constexpr std::uint16_t kServerPort = 8000;

struct Thread {
    std::uint32_t pid = 0;
    std::uint32_t tid = 0;
    std::uint32_t sequence = 0;
};

struct SocketEnd {
    std::uint64_t id = 0;
    std::int32_t fd = 0;
    bool known = false;
    bool server = false;
    std::uint64_t received = 0;  ///< in the kernel so far
    std::uint64_t rx = 0;
    std::uint64_t tx = 0;
    std::string unread;  ///< arrived, not yet read
};

/// What stands behind the event on its line.
struct Options {
    std::uint16_t cpu = 0;
    std::uint64_t took = 0;
    std::optional<std::int64_t> result;
    bool lost = false;
    std::size_t head = 4096;
    std::size_t tail = 64;
    std::int16_t syscall = -1;
    std::string fd;
    std::string waker;
    bool iowait = false;
    std::optional<std::uint64_t> unread;
    std::optional<std::uint64_t> rx;
    std::optional<std::uint64_t> tx;
    std::optional<std::uint16_t> port;
    std::uint32_t minor_faults = 0;
    std::uint32_t major_faults = 0;
    std::vector<ts_call_count> counts;
};

Options take_options(Words& words) {
    Options options;
    const auto unsigned_number = [&words](const char* what) { return static_cast<std::uint64_t>(words.number(what)); };
    while (!words.done()) {
        const Word word = words.take("an option");
        const std::string& name = word.text;
        if (word.string) {
            throw Mistake{"a string where no option has one"};
        } else if (name == "cpu") {
            options.cpu = static_cast<std::uint16_t>(words.number("the CPU"));
        } else if (name == "took") {
            options.took = words.time("how long it took");
        } else if (name == "result") {
            options.result = words.number("the result");
        } else if (name == "lost") {
            options.lost = true;
        } else if (name == "head") {
            options.head = unsigned_number("bytes");
        } else if (name == "tail") {
            options.tail = unsigned_number("bytes");
        } else if (name == "in") {
            options.syscall = static_cast<std::int16_t>(words.number("the system call's number"));
        } else if (name == "fd") {
            options.fd = words.take("a socket").text;
        } else if (name == "waker") {
            options.waker = words.take("a thread").text;
        } else if (name == "iowait") {
            options.iowait = true;
        } else if (name == "unread") {
            options.unread = unsigned_number("bytes");
        } else if (name == "rx") {
            options.rx = unsigned_number("a position");
        } else if (name == "tx") {
            options.tx = unsigned_number("a position");
        } else if (name == "port") {
            options.port = static_cast<std::uint16_t>(words.number("a port"));
        } else if (name == "faults") {
            options.minor_faults = static_cast<std::uint32_t>(words.number("minor faults"));
            options.major_faults = static_cast<std::uint32_t>(words.number("major faults"));
        } else if (name == "count") {
            ts_call_count count{};
            count.call_class = static_cast<__u8>(words.number("the class"));
            count.calls = static_cast<__u32>(words.number("calls"));
            count.errors = static_cast<__u16>(words.number("errors"));
            count.nanoseconds = unsigned_number("ns");
            count.bytes = unsigned_number("bytes");
            options.counts.push_back(count);
        } else {
            throw Mistake{"unknown option '" + name + "'"};
        }
    }
    return options;
}

/// Turns lines into records, as the kernel side would have written them.
class Writer {
public:
    void line(std::string_view text) {
        Words words(text);
        if (words.done()) {
            return;
        }
        time_ = kStart + words.time("the time");
        newest_ = std::max(newest_, time_);
        thread_name_ = words.take("the thread").text;
        const std::string event = words.take("the event").text;
        if (event == "fact") {
            fact(text);
            return;
        }
        const auto found = kEvents.find(event);
        if (found == kEvents.end()) {
            throw Mistake{"unknown event '" + event + "'"};
        }
        (this->*found->second)(words);
    }

    records::Buffer finish() {
        stream_.watermark(newest_ + 1'000'000'000);
        return stream_.take();
    }

private:
    using Handler = void (Writer::*)(Words&);
    static const std::map<std::string, Handler, std::less<>> kEvents;

    Thread& thread(const std::string& name) {
        const auto known = threads_.find(name);
        if (known != threads_.end()) {
            return known->second;
        }
        const std::size_t slash = name.find('/');
        const std::string process = slash == std::string::npos ? "" : name.substr(0, slash);
        auto [entry, fresh] = processes_.try_emplace(process, 0);
        if (fresh) {
            entry->second = {static_cast<std::uint32_t>(100 * processes_.size()), 0};
        }
        const std::uint32_t tid = entry->second.pid + entry->second.threads++;
        return threads_[name] = Thread{entry->second.pid, tid, 0};
    }
    Thread& thread() {
        if (thread_name_ == "kernel") {
            throw Mistake{"the kernel makes no calls and does not wait: a thread, please"};
        }
        return thread(thread_name_);
    }

    SocketEnd& socket(const std::string& name) {
        if (name.find(':') == std::string::npos && name.find('@') == std::string::npos) {
            throw Mistake{"'" + name + "' is no socket: label:port or label@path"};
        }
        auto [entry, fresh] = sockets_.try_emplace(name);
        if (fresh) {
            entry->second.id = sockets_.size();
            entry->second.fd = static_cast<std::int32_t>(sockets_.size() + 2);
        }
        return entry->second;
    }
    SocketEnd& known_socket(const std::string& name) {
        SocketEnd& end = socket(name);
        if (!end.known) {
            throw Mistake{"'" + name + "' has not been made known: accept, connect, passive, existing or seen comes first"};
        }
        return end;
    }

    ts_event_head head(const Options& options, std::uint32_t tid) const { return records::head(time_, options.cpu, tid); }

    void make_known(const std::string& name, SocketEnd& end, ts_socket_origin origin, bool server, std::uint64_t time,
                    const Options& options) {
        end.known = true;
        end.server = server;
        end.rx = options.rx.value_or(0);
        end.tx = options.tx.value_or(0);
        end.unread.assign(options.unread.value_or(0), '?');
        end.received = end.rx + end.unread.size();
        ts_socket record{};
        const bool in_kernel = thread_name_ == "kernel";
        record.head = records::head(time, options.cpu, in_kernel ? 0 : thread().tid);
        record.socket = end.id;
        record.rx_position = end.rx;
        record.tx_position = end.tx;
        record.unread = end.unread.size();
        record.pid = in_kernel ? 0 : thread().pid;
        record.fd = in_kernel ? -1 : end.fd;
        record.network_namespace = 1;
        record.type = SOCK_STREAM;
        record.origin = static_cast<__u8>(origin);
        record.is_server = server ? 1 : 0;
        name_ends(name, end, origin, options, record);
        stream_.socket(record);
    }

    void name_ends(const std::string& name, const SocketEnd& end, ts_socket_origin origin, const Options& options,
                   ts_socket& record) {
        const std::string plain = name.substr(0, name.find('#'));
        if (const std::size_t at = plain.find('@'); at != std::string::npos) {
            record.family = AF_UNIX;
            std::strncpy(record.unix_path, plain.c_str() + at + 1, sizeof(record.unix_path) - 1);
            return;
        }
        const auto port = static_cast<std::uint16_t>(integer(plain.substr(plain.find(':') + 1)));
        static constexpr __u8 kLoopback[4] = {127, 0, 0, 1};
        record.family = AF_INET;
        std::memcpy(record.local_address, kLoopback, sizeof(kLoopback));
        if (origin == TS_SOCKET_LISTEN) {
            record.local_port = port;
            return;
        }
        std::memcpy(record.remote_address, kLoopback, sizeof(kLoopback));
        record.remote_port = port;
        record.local_port = options.port.value_or(end.server ? kServerPort : static_cast<std::uint16_t>(40000 + end.id));
    }

    /// A call of the line's thread; the line's time is its entry for writes and connects, else its exit.
    ts_call call(ts_operation operation, const SocketEnd& end, const Options& options) {
        const bool from_entry = operation == TS_OPERATION_WRITE || operation == TS_OPERATION_CONNECT;
        Thread& by = thread();
        ts_call call{};
        call.entered = from_entry ? time_ : time_ - options.took;
        call.head = records::head(from_entry ? time_ + options.took : time_, options.cpu, by.tid);
        newest_ = std::max(newest_, std::uint64_t{call.head.time});
        call.result = options.result.value_or(0);
        call.socket = end.id;
        call.pid = by.pid;
        call.thread_sequence = by.sequence++;
        call.fd = end.fd;
        call.minor_faults = options.minor_faults;
        call.major_faults = options.major_faults;
        call.operation = static_cast<__u8>(operation);
        return call;
    }
    void write_call(ts_call call, const std::string& payload, const Options& options) {
        if (options.lost) {
            stream_.skip(options.cpu);
            return;
        }
        const std::size_t head = std::min(payload.size(), options.head);
        const std::size_t tail = std::min(payload.size() - head, options.tail);
        const std::string_view bytes = payload;
        stream_.call(call, bytes.substr(0, head), bytes.substr(bytes.size() - tail), options.counts);
    }

    void on_listen(Words& words) { introduce(words, TS_SOCKET_LISTEN, true); }
    void on_passive(Words& words) { introduce(words, TS_SOCKET_PASSIVE, true); }
    void on_seen(Words& words) { introduce(words, TS_SOCKET_SEEN, false); }
    void on_existing(Words& words) {
        const std::string name = words.take("the socket").text;
        const bool server = words.accept("server");
        if (!server) {
            words.expect("client");
        }
        make_known(name, socket(name), TS_SOCKET_EXISTING, server, time_, take_options(words));
    }
    void introduce(Words& words, ts_socket_origin origin, bool server) {
        const std::string name = words.take("the socket").text;
        make_known(name, socket(name), origin, server, time_, take_options(words));
    }
    void on_accept(Words& words) {
        const std::string name = words.take("the socket").text;
        SocketEnd& end = socket(name);
        const Options options = take_options(words);
        if (!end.known) {
            make_known(name, end, TS_SOCKET_ACCEPT, true, time_, options);
        }
        write_call(call(TS_OPERATION_ACCEPT, end, options), {}, options);
    }
    void on_connect(Words& words) {
        const std::string name = words.take("the socket").text;
        SocketEnd& end = socket(name);
        const Options options = take_options(words);
        if (!end.known) {
            make_known(name, end, TS_SOCKET_CONNECT, false, time_, options);
        }
        write_call(call(TS_OPERATION_CONNECT, end, options), {}, options);
    }
    void on_close(Words& words) { plain_call(words, TS_OPERATION_CLOSE); }
    void on_shutdown(Words& words) { plain_call(words, TS_OPERATION_SHUTDOWN); }
    void plain_call(Words& words, ts_operation operation) {
        const SocketEnd& end = known_socket(words.take("the socket").text);
        const Options options = take_options(words);
        write_call(call(operation, end, options), {}, options);
    }

    void on_arrival(Words& words) {
        const std::string name = words.take("the socket").text;
        SocketEnd& end = known_socket(name);
        const auto payload = take_payload(words);
        if (!payload) {
            throw Mistake{"an arrival wants bytes"};
        }
        const Options options = take_options(words);
        end.unread += *payload;
        end.received += payload->size();
        ts_arrival record{};
        record.head = head(options, 0);
        record.socket = end.id;
        record.stream_end = name.find('@') == std::string::npos ? end.received : TS_POSITION_UNKNOWN;
        if (options.lost) {
            stream_.skip(options.cpu);
        } else {
            stream_.arrival(record);
        }
    }

    void on_read(Words& words) {
        SocketEnd& end = known_socket(words.take("the socket").text);
        const auto given = take_payload(words);
        const Options options = take_options(words);
        std::string bytes;
        if (given) {
            bytes = *given;
            end.unread.erase(0, std::min(bytes.size(), end.unread.size()));
            end.received = std::max(end.received, end.rx + bytes.size());
        } else if (options.result) {
            bytes = end.unread.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(*options.result, 0)));
            end.unread.erase(0, bytes.size());
        } else {
            bytes = std::exchange(end.unread, {});
        }
        ts_call record = call(TS_OPERATION_READ, end, options);
        record.stream_begin = end.rx;
        record.result = options.result.value_or(static_cast<std::int64_t>(bytes.size()));
        end.rx += bytes.size();
        write_call(record, bytes, options);
    }

    void on_write(Words& words) {
        SocketEnd& end = known_socket(words.take("the socket").text);
        const auto payload = take_payload(words);
        const Options options = take_options(words);
        if (!payload && !options.result) {
            throw Mistake{"a write wants bytes or a result"};
        }
        std::string bytes = payload.value_or("");
        if (options.result) {
            bytes.resize(std::min(bytes.size(), static_cast<std::size_t>(std::max<std::int64_t>(*options.result, 0))));
        }
        ts_call record = call(TS_OPERATION_WRITE, end, options);
        record.stream_begin = end.tx;
        record.result = options.result.value_or(static_cast<std::int64_t>(bytes.size()));
        end.tx += bytes.size();
        write_call(record, bytes, options);
    }

    void on_state(Words& words) {
        ts_socket_state record{};
        record.socket = known_socket(words.take("the socket").text).id;
        record.old_state = static_cast<__u8>(words.number("the old state"));
        record.new_state = static_cast<__u8>(words.number("the new state"));
        record.head = head(take_options(words), 0);
        stream_.socket_state(record);
    }
    void on_retransmit(Words& words) {
        ts_retransmit record{};
        record.socket = known_socket(words.take("the socket").text).id;
        record.head = head(take_options(words), 0);
        stream_.retransmit(record);
    }

    void on_off(Words& words) {
        static const std::map<std::string, ts_off_cpu_state, std::less<>> kStates = {
            {"interruptible", TS_OFF_INTERRUPTIBLE}, {"uninterruptible", TS_OFF_UNINTERRUPTIBLE}, {"other", TS_OFF_OTHER}};
        const auto state = kStates.find(words.take("the state").text);
        if (state == kStates.end()) {
            throw Mistake{"a thread is off the CPU interruptible, uninterruptible or other"};
        }
        words.expect("from");
        const std::uint64_t off = kStart + words.time("since when");
        words.expect("woken");
        off_cpu(words, state->second, off, kStart + words.time("when it was woken"));
    }
    void on_preempted(Words& words) {
        words.expect("from");
        const std::uint64_t off = kStart + words.time("since when");
        off_cpu(words, TS_OFF_PREEMPTED, off, off);
    }
    void off_cpu(Words& words, ts_off_cpu_state state, std::uint64_t off, std::uint64_t woken) {
        const Options options = take_options(words);
        Thread& by = thread();
        ts_off_cpu record{};
        record.head = head(options, by.tid);
        record.off = off;
        record.woken = woken;
        record.pid = by.pid;
        record.thread_sequence = by.sequence++;
        record.waker_tid = options.waker.empty() || options.waker == "kernel" ? 0 : thread(options.waker).tid;
        record.waker_syscall = -1;
        record.syscall = options.syscall;
        record.fd = options.fd.empty() ? -1 : known_socket(options.fd).fd;
        record.state = static_cast<__u8>(state);
        record.flags = options.iowait ? TS_OFF_IOWAIT : 0;
        if (options.lost) {
            stream_.skip(options.cpu);
        } else {
            stream_.off_cpu(record);
        }
    }

    void on_fork(Words& words) {
        const Thread by = thread();
        const std::string name = words.take("the new thread").text;
        if (threads_.contains(name)) {
            throw Mistake{"'" + name + "' is there already"};
        }
        const Thread child = thread(name);
        task(words, TS_TASK_FORK, child, by);
    }
    void on_exec(Words& words) { task(words, TS_TASK_EXEC, thread(), {}); }
    void on_exit(Words& words) { task(words, TS_TASK_EXIT, thread(), {}); }
    void task(Words& words, ts_task_operation operation, const Thread& about, const Thread& parent) {
        ts_task record{};
        record.pid = about.pid;
        record.parent_pid = parent.pid;
        record.parent_tid = parent.tid;
        record.operation = static_cast<__u8>(operation);
        if (words.peek() != nullptr && words.peek()->string) {
            std::strncpy(record.comm, words.quoted("the name").c_str(), sizeof(record.comm) - 1);
        }
        record.head = head(take_options(words), about.tid);
        stream_.task(record);
    }

    void on_opens(Words& words) {
        std::string text;
        engine_name(engine_.opens(words, time_, text), text);
    }
    void on_prepares(Words& words) {
        std::string text;
        engine_name(engine_.prepares(words, time_, text), text);
    }
    void engine_name(ts_engine_name record, const std::string& text) {
        record.head.tid = thread().tid;
        record.pid = thread().pid;
        stream_.engine_name(record, text);
    }
    void on_executes(Words& words) { engine_call(engine_.executes(words, time_)); }
    void on_executed(Words& words) { engine_call(engine_.executed(words, time_, kStart)); }
    void engine_call(ts_engine_call record) {
        record.head.tid = thread().tid;
        record.pid = thread().pid;
        stream_.engine_call(record);
    }

    void on_loss(Words& words) {
        ts_loss record{};
        record.first = kStart + words.time("the first");
        record.last = kStart + words.time("the last");
        record.count = static_cast<std::uint64_t>(words.number("how many"));
        const Options options = take_options(words);
        stream_.skip(options.cpu, static_cast<std::uint32_t>(record.count));
        record.head = head(options, 0);
        stream_.loss(record);
    }
    void on_gap(Words& words) {
        const auto count = static_cast<std::uint32_t>(words.number("how many"));
        stream_.skip(take_options(words).cpu, count);
    }
    void on_watermark(Words&) { stream_.watermark(time_); }
    void fact(std::string_view line) {
        const std::string_view text = line.substr(line.find("fact") + 4);
        const auto body = nlohmann::json::parse(text, nullptr, false);
        if (!body.is_object() || !body.contains("fact")) {
            throw Mistake{"a fact is a JSON object with the member \"fact\""};
        }
        stream_.fact(time_, body);
    }

    struct Process {
        Process(std::uint32_t number = 0, std::uint32_t count = 0) : pid(number), threads(count) {}
        std::uint32_t pid;
        std::uint32_t threads;
    };
    records::Stream stream_;
    Engine engine_;
    std::map<std::string, Thread, std::less<>> threads_;
    std::map<std::string, Process, std::less<>> processes_;
    std::map<std::string, SocketEnd, std::less<>> sockets_;
    std::uint64_t time_ = kStart;
    std::uint64_t newest_ = kStart;
    std::string thread_name_;
};

const std::map<std::string, Writer::Handler, std::less<>> Writer::kEvents = {
    {"listen", &Writer::on_listen},
    {"passive", &Writer::on_passive},
    {"accept", &Writer::on_accept},
    {"existing", &Writer::on_existing},
    {"seen", &Writer::on_seen},
    {"connect", &Writer::on_connect},
    {"close", &Writer::on_close},
    {"shutdown", &Writer::on_shutdown},
    {"arrival", &Writer::on_arrival},
    {"read", &Writer::on_read},
    {"write", &Writer::on_write},
    {"state", &Writer::on_state},
    {"retransmit", &Writer::on_retransmit},
    {"off", &Writer::on_off},
    {"preempted", &Writer::on_preempted},
    {"fork", &Writer::on_fork},
    {"exec", &Writer::on_exec},
    {"exit", &Writer::on_exit},
    {"opens", &Writer::on_opens},
    {"prepares", &Writer::on_prepares},
    {"executes", &Writer::on_executes},
    {"executed", &Writer::on_executed},
    {"loss", &Writer::on_loss},
    {"gap", &Writer::on_gap},
    {"watermark", &Writer::on_watermark},
};

}  // namespace

Result<Script> parse_script(std::string_view text) {
    Script script;
    Writer writer;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (line.starts_with("=>")) {
            script.expected.emplace_back(line.substr(line.starts_with("=> ") ? 3 : 2));
            continue;
        }
        if (!script.expected.empty() && line.find_first_not_of(" \t") != std::string_view::npos) {
            return Error{"line " + std::to_string(number) + ": an event behind what is expected"};
        }
        if (script.expected.empty()) {
            script.events += std::string(line) + "\n";
        }
        try {
            writer.line(line);
        } catch (const Mistake& mistake) {
            return Error{"line " + std::to_string(number) + ": " + mistake.what};
        }
    }
    script.records = writer.finish();
    return script;
}

}  // namespace timesink::golden
