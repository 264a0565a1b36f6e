#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <random>

#include "capture/writer.hpp"
#include "records/record.hpp"
#include "records/wire.hpp"

/// Writes a recording as of a gunicorn with threads behind keep-alive connections, three PostgreSQL statements a request, through
/// the real writer. Deterministic: equal arguments give equal bytes. Every request has 16 events, in the sizes that the probes
/// write.
namespace timesink {
namespace {

namespace postgres = records::postgres;

constexpr std::uint64_t kStart = 1'000'000'000'000;  // ns
constexpr std::uint64_t kDrain = 20'000'000;
constexpr std::uint32_t kPid = 4711;
constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kTailBytes = 64;

struct Connection {
    std::uint64_t socket;
    std::int32_t fd;
    std::uint64_t rx = 0;
    std::uint64_t tx = 0;
};

/// A thread, its client's connection and its own to the database. Its records stay on one CPU, as a busy server's mostly do.
struct Worker {
    std::uint32_t tid;
    std::uint16_t cpu;
    Connection client;
    Connection database;
    std::uint32_t sequence = 0;
    std::uint64_t time = 0;
};

class Service {
public:
    Service(unsigned workers, double requests_per_second, std::size_t statements)
        : statements_(statements), pause_(static_cast<std::uint64_t>(1e9 * workers / requests_per_second)) {
        for (std::uint32_t index = 0; index < workers; ++index) {
            const auto fd = static_cast<std::int32_t>(10 + 2 * index);
            workers_.push_back(
                {kPid + index, static_cast<std::uint16_t>(index % 2), {2 * index + 1, fd}, {2 * index + 2, fd + 1}});
            workers_.back().time = kStart + index * pause_ / workers;
        }
    }

    void introduce() {
        stream_.fact(kStart, {{"fact", "host"}, {"kernel", "6.1.0"}, {"machine", "x86_64"}, {"cpus", 2}, {"page_size", 4096}});
        stream_.fact(kStart, {{"fact", "timesink"}, {"version", "0.1.0"}, {"abi", {TS_ABI_MAJOR, TS_ABI_MINOR}}});
        stream_.fact(kStart, {{"fact", "target"}, {"by", "port"}, {"value", "8000"}});
        nlohmann::json threads = nlohmann::json::array();
        for (const Worker& worker : workers_) {
            threads.push_back(worker.tid);
        }
        stream_.fact(kStart,
                     {{"fact", "process"}, {"pid", kPid}, {"comm", "gunicorn"}, {"runtime", "python"}, {"threads", threads}});
        for (const Worker& worker : workers_) {
            stream_.socket(socket(worker, worker.client, true));
            stream_.socket(socket(worker, worker.database, false));
        }
        stream_.fact(kStart, {{"fact", "attached"}});
    }

    /// Everything up to `end`, CPU by CPU as drained from the rings.
    void drain(std::uint64_t end) {
        for (std::uint16_t cpu = 0; cpu < 2; ++cpu) {
            while (Worker* next = earliest(cpu, end)) {
                serve(*next);
            }
        }
        stream_.watermark(end);
    }
    void conclude(std::uint64_t end) {
        stream_.fact(end, {{"fact", "drops"}, {"cpu", 0}, {"count", 0}});
        stream_.fact(end, {{"fact", "drops"}, {"cpu", 1}, {"count", 0}});
        stream_.fact(end, {{"fact", "own_cost"}, {"cpu_ns", 1'000'000}, {"rss_bytes", 40'000'000}, {"events", events_}});
        stream_.fact(end, {{"fact", "detached"}});
        stream_.watermark(end + 100'000'000);
    }
    records::Buffer take() { return stream_.take(); }
    [[nodiscard]] std::uint64_t requests() const { return requests_; }
    [[nodiscard]] std::uint64_t events() const { return events_; }

private:
    Worker* earliest(std::uint16_t cpu, std::uint64_t end) {
        Worker* first = nullptr;
        for (Worker& worker : workers_) {
            if (worker.cpu == cpu && worker.time < end && (first == nullptr || worker.time < first->time)) {
                first = &worker;
            }
        }
        return first;
    }

    std::uint64_t some(std::uint64_t mean) { return mean / 2 + random_() % mean; }

    static ts_socket socket(const Worker& worker, const Connection& connection, bool server) {
        ts_socket record{};
        record.head = records::head(kStart, TS_CPU_USERSPACE, worker.tid);
        record.socket = connection.socket;
        record.pid = kPid;
        record.fd = connection.fd;
        record.network_namespace = 1;
        record.family = AF_INET;
        record.type = SOCK_STREAM;
        record.origin = TS_SOCKET_EXISTING;
        record.local_port = server ? 8000 : static_cast<std::uint16_t>(50000 + connection.socket);
        record.remote_port = server ? static_cast<std::uint16_t>(40000 + connection.socket) : 5432;
        record.is_server = server ? 1 : 0;
        record.local_address[0] = record.remote_address[0] = 127;
        record.local_address[3] = record.remote_address[3] = 1;
        return record;
    }

    void call(Worker& worker, Connection& connection, ts_operation operation, std::string_view bytes) {
        ts_call record{};
        record.entered = worker.time;
        worker.time += some(8'000);
        record.head = records::head(worker.time, worker.cpu, worker.tid);
        record.result = static_cast<std::int64_t>(bytes.size());
        record.socket = connection.socket;
        record.pid = kPid;
        record.thread_sequence = worker.sequence++;
        record.fd = connection.fd;
        record.syscall = operation == TS_OPERATION_READ ? 45 : 44;
        record.operation = static_cast<__u8>(operation);
        std::uint64_t& position = operation == TS_OPERATION_READ ? connection.rx : connection.tx;
        record.stream_begin = position;
        position += bytes.size();
        ts_call_count count{};
        count.call_class = TS_CLASS_POLL;
        count.calls = 1;
        count.nanoseconds = some(2'000);
        const std::size_t head = std::min(bytes.size(), kHeadBytes);
        const std::size_t tail = std::min(bytes.size() - head, kTailBytes);
        stream_.call(record, bytes.substr(0, head), bytes.substr(bytes.size() - tail), std::span(&count, 1));
        ++events_;
    }
    void arrive(const Worker& worker, const Connection& connection, std::size_t bytes, std::uint64_t at) {
        ts_arrival record{};
        record.head = records::head(at, worker.cpu);
        record.socket = connection.socket;
        record.stream_end = connection.rx + bytes;
        stream_.arrival(record);
        ++events_;
    }
    /// Blocked until `woken`, then runnable for a while.
    void wait(Worker& worker, std::int32_t fd, std::uint64_t woken) {
        ts_off_cpu record{};
        record.off = worker.time;
        record.woken = woken;
        worker.time = woken + some(20'000);
        record.head = records::head(worker.time, worker.cpu, worker.tid);
        record.pid = kPid;
        record.thread_sequence = worker.sequence++;
        record.waker_syscall = -1;
        record.syscall = 45;
        record.fd = fd;
        record.state = TS_OFF_INTERRUPTIBLE;
        stream_.off_cpu(record);
        ++events_;
    }
    /// Bytes come in at `at` and wake the thread that waits for them.
    void receive(Worker& worker, Connection& connection, std::string_view bytes, std::uint64_t at) {
        arrive(worker, connection, bytes.size(), at);
        wait(worker, connection.fd, at);
        call(worker, connection, TS_OPERATION_READ, bytes);
    }

    void serve(Worker& worker) {
        static const std::string kFields[] = {"Host: shop.test", "User-Agent: wrk", "Accept: */*",
                                              "Cookie: session=0123456789abcdef"};
        const std::uint64_t began = worker.time;
        const std::string id = std::to_string(random_() % 100'000);
        const std::string path = random_() % 5 == 0 ? "POST /checkout/" + id : "GET /orders/" + id;
        receive(worker, worker.client, records::http::message(path + " HTTP/1.1", kFields), worker.time + some(50'000));
        for (std::size_t index = 0; index < statements_; ++index) {
            worker.time += some(80'000);
            const std::string sql =
                "SELECT id, name, price FROM items_" + std::to_string(index) + " WHERE order_id = $1 AND state <> 'x'";
            call(worker, worker.database, TS_OPERATION_WRITE,
                 postgres::parse("", sql) + postgres::bind("") + postgres::describe("") + postgres::execute() + postgres::sync());
            std::string rows = postgres::message('1') + postgres::message('2') + postgres::row_description("id");
            for (std::uint64_t row = random_() % 20; row > 0; --row) {
                rows += postgres::data_row("row " + std::to_string(random_()));
            }
            receive(worker, worker.database, rows + postgres::command_complete() + postgres::ready(),
                    worker.time + some(400'000));
        }
        worker.time += some(200'000);
        static const std::string kAnswer[] = {"Server: gunicorn", "Content-Type: application/json"};
        call(worker, worker.client, TS_OPERATION_WRITE, records::http::message("HTTP/1.1 200 OK", kAnswer, 900));
        worker.time = std::max(worker.time, began + pause_);
        ++requests_;
    }

    std::size_t statements_;
    std::uint64_t pause_;
    std::vector<Worker> workers_;
    records::Stream stream_;
    std::mt19937_64 random_{42};
    std::uint64_t requests_ = 0;
    std::uint64_t events_ = 0;
};

int synthesize(const std::string& path, unsigned seconds, double rate, unsigned workers) {
    Service service(workers, rate, 3);
    Result<capture::Writer> writer = capture::Writer::create(path, capture::Existing::replace_recordings);
    if (!writer) {
        std::cerr << "synthesize: " << writer.error().what << '\n';
        return 1;
    }
    service.introduce();
    const std::uint64_t end = kStart + seconds * std::uint64_t{1'000'000'000};
    Status status = Done{};
    for (std::uint64_t time = kStart + kDrain; time <= end && status; time += kDrain) {
        service.drain(time);
        status = writer->append(service.take());
    }
    service.conclude(end);
    if (status) {
        status = writer->append(service.take());
    }
    if (const Status finished = writer->finish(); !finished) {
        std::cerr << "synthesize: " << finished.error().what << '\n';
        return 1;
    }
    std::cout << "{\"requests\": " << service.requests() << ", \"events\": " << service.events()
              << ", \"bytes\": " << writer->bytes_written() << "}\n";
    return 0;
}

}  // namespace
}  // namespace timesink

int main(int argc, char** argv) {
    CLI::App program("Writes a recording of a synthetic service; prints how much is in it as JSON", "synthesize");
    std::string path;
    unsigned seconds = 60;
    double rate = 1000;
    unsigned workers = 8;
    program.add_option("FILE", path)->required();
    program.add_option("--seconds", seconds)->check(CLI::Range(1u, 36000u));
    program.add_option("--rate", rate, "requests a second")->check(CLI::Range(1.0, 100000.0));
    program.add_option("--workers", workers, "threads; no more than workers / 3 ms requests a second can be served")
        ->check(CLI::Range(1u, 1000u));
    CLI11_PARSE(program, argc, argv);
    return timesink::synthesize(path, seconds, rate, workers);
}
