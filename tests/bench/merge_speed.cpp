#include <sys/resource.h>

#include <chrono>
#include <iostream>

#include "capture/reader.hpp"
#include "event/merge.hpp"

/// How fast a recording goes through the reader alone, and through reader, decoder and merge, on one core: `merge_speed FILE`.
namespace timesink {
namespace {

/// Touches what every event has, so that handing on is not optimised away.
class Count final : public event::Consumer {
public:
    std::uint64_t events = 0;
    std::uint64_t sum = 0;
    void on(const event::Call& call) override { add(to_ns(call.exited) + static_cast<std::int64_t>(call.head.size())); }
    void on(const event::Payload& piece) override { add(static_cast<std::int64_t>(piece.bytes.size())); }
    void on(const event::OffCpu& off) override { add(to_ns(off.on)); }
    void on(const event::Arrival& arrival) override { add(to_ns(arrival.at)); }
    void on(const event::Socket& socket) override { add(to_ns(socket.at)); }
    void on(const event::SocketState& change) override { add(to_ns(change.at)); }
    void on(const event::Retransmit& retransmit) override { add(to_ns(retransmit.at)); }
    void on(const event::Task& task) override { add(to_ns(task.at)); }
    void on(const event::Lineage& lineage) override { add(to_ns(lineage.at)); }
    void on(const event::LoopPhase& phase) override { add(to_ns(phase.at)); }
    void on(const event::Plaintext& plain) override { add(to_ns(plain.at)); }
    void on(const event::EngineName& name) override { add(to_ns(name.at)); }
    void on(const event::EngineCall& call) override { add(to_ns(call.at)); }
    void on(const event::Loss& loss) override { add(to_ns(loss.last)); }
    void on(const event::Fact& fact) override { add(to_ns(fact.at)); }
    void advance(Instant) override {}

private:
    void add(std::int64_t value) {
        ++events;
        sum += static_cast<std::uint64_t>(value);
    }
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// CPU seconds of one pass.
template <typename Push>
double pass(const char* path, const Push& push) {
    const double before = cpu_seconds();
    auto reader = capture::Reader::open(path);
    if (!reader) {
        std::cerr << reader.error().what << '\n';
        std::exit(3);
    }
    while (const auto events = reader->next_events()) {
        push(*events);
    }
    return cpu_seconds() - before;
}

}  // namespace
}  // namespace timesink

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: merge_speed FILE\n";
        return 2;
    }
    using namespace timesink;
    std::uint64_t bytes = 0;
    const double reading = pass(argv[1], [&](auto records) { bytes += records.size(); });
    Count count;
    event::Merge merge(count);
    const double merging = pass(argv[1], [&](auto records) { (void)merge.push(records).ok(); });
    merge.finish();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::cout << "{\"events\": " << count.events << ", \"raw_bytes\": " << bytes << ", \"read_s\": " << reading
              << ", \"read_and_merge_s\": " << merging << ", \"peak_kb\": " << usage.ru_maxrss
              << ", \"lost\": " << merge.statistics().lost << ", \"malformed\": " << merge.statistics().malformed
              << ", \"out_of_order\": " << merge.statistics().out_of_order << ", \"checksum\": " << count.sum << "}\n";
    return 0;
}
