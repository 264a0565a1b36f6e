#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "live/session.hpp"
#include "timesink/abi/events.h"

namespace timesink::test {

/// A process that does what a test says: `prepare` before the attach, `act` after it, then it ends. The body reports by exit
/// status (0: it went as meant) and by `tell`.
class Subject {
public:
    using Body = std::function<int()>;
    explicit Subject(const Body& prepare, const Body& act);
    ~Subject();
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    [[nodiscard]] std::uint32_t pid() const { return pid_; }
    void go();
    /// Whether it has ended; then status() is as from waitpid().
    bool ended();
    [[nodiscard]] int status() const { return status_; }

private:
    std::uint32_t pid_ = 0;
    int go_ = -1;
    int status_ = -1;
    bool reaped_ = false;
};

struct RecordedCall {
    ts_call call;
    std::vector<ts_call_count> counts;
    std::string head;
    std::string tail;
};

/// All records of a run, taken apart.
struct Records {
    std::vector<RecordedCall> calls;
    std::vector<ts_off_cpu> off_cpus;
    std::vector<ts_arrival> arrivals;
    std::vector<ts_socket> sockets;
    std::vector<ts_socket_state> states;
    std::vector<ts_task> tasks;
    std::vector<ts_loss> losses;
    std::vector<ts_engine_call> engine_calls;
    std::vector<nlohmann::json> facts;
    std::map<std::uint16_t, std::vector<std::uint32_t>> sequences;  ///< by cpu
    std::size_t malformed = 0;

    void take(std::span<const std::byte> bytes);
    /// Bytes moved on a socket by calls of one kind, peeks excepted.
    [[nodiscard]] std::uint64_t moved(std::uint64_t socket, ts_operation operation) const;
    [[nodiscard]] std::vector<RecordedCall> on_socket(std::uint64_t socket, ts_operation operation) const;
    [[nodiscard]] const ts_socket* socket_of_origin(ts_socket_origin origin, std::uint16_t family) const;
    /// Sum over all calls of the counts of a class.
    [[nodiscard]] ts_call_count count(ts_call_class call_class) const;
    [[nodiscard]] nlohmann::json fact(const std::string& name) const;
};

/// Attaches to the subject, lets it act, waits for its end and detaches. Fails the test when the subject's status is not 0.
/// `skipped` holds the reason why this cannot run here.
struct Recorded {
    Records run;
    std::string skipped;
    std::vector<live::Probe> probes;
};
Recorded record(Subject& subject, live::SessionOptions options);

#define TIMESINK_RECORD(NAME, SUBJECT, OPTIONS)                              \
    const auto NAME##_recorded = ::timesink::test::record(SUBJECT, OPTIONS); \
    if (!NAME##_recorded.skipped.empty()) {                                  \
        GTEST_SKIP() << NAME##_recorded.skipped;                             \
    }                                                                        \
    [[maybe_unused]] const auto& NAME = NAME##_recorded.run

}  // namespace timesink::test
