#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "analyze/model.hpp"
#include "analyze/timeline.hpp"
#include "event/event.hpp"

namespace timesink::analyze {

/// Gathers what the facts say of target, host and timesink itself (docs/event-abi.md lists them). Members that are missing or of
/// another type are as good as not told: facts come out of a file. At most kMaximumProcesses processes are kept, first come.
class RunFacts {
public:
    static constexpr std::size_t kMaximumProcesses = 1024;

    explicit RunFacts(Timeline& timeline) : timeline_(timeline) {}

    void on(const event::Fact& fact);
    void served(ProcessId process, std::uint16_t port);  ///< a unit that is counted in the figures
    void seen(Instant at);                               ///< something happened then: the run is at least that long

    /// Fills in run, own cost, and coverage.lost and missing probes.
    void finish(Model& model);

private:
    struct Process {
        ProcessLine line;
        std::uint64_t started = 0;
        bool described = false;
        std::optional<std::uint64_t> sampled_cpu;  ///< the last one of this attach
        std::uint64_t rss = 0;
        Instant sampled{};
    };
    struct HostSample {
        Instant at{};
        std::uint64_t idle = 0, steal = 0, total = 0;  ///< ns
    };

    Process* process(std::uint64_t pid);
    void on_process(const event::Fact& fact);
    void on_sample(const event::Fact& fact);
    void on_host_sample(const event::Fact& fact);
    void on_own_cost(const nlohmann::json& body);
    void on_probe(const nlohmann::json& body);
    void on_runtime(const nlohmann::json& body);
    void on_sqlite(const event::Fact& fact);
    void on_attached(Instant at);
    void on_detached(Instant at);
    void finish_host(Host& host) const;
    void finish_processes(Run& run);

    Timeline& timeline_;
    Run run_;
    OwnCost own_cost_;
    std::map<std::uint64_t, Process> processes_;
    std::map<std::uint16_t, std::uint64_t> ports_;
    std::vector<MissingProbe> missing_probes_;
    std::vector<RuntimeGap> runtime_gaps_;
    std::set<std::pair<std::size_t, std::uint64_t>> counted_gaps_;  // by place in runtime_gaps_ and pid
    std::optional<bool> payload_captured_;
    std::map<std::uint64_t, Instant> engine_paused_;  // by pid: since when
    Duration engine_untold_{};
    std::optional<HostSample> last_host_sample_;  // of this attach
    HostSample host_;                             // the sum of what each attach saw
    double runnable_sum_ = 0;
    std::uint64_t runnable_samples_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t threads_missed_ = 0;
    std::uint64_t probe_runs_missed_ = 0;
    std::optional<Instant> detached_;  // last; empty while attached
    std::optional<Instant> first_seen_;
    Instant last_seen_{};
};

}  // namespace timesink::analyze
