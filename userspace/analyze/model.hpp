#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyze/genai_line.hpp"
#include "attribute/account.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

/// What a report says, as plain data: made once by Aggregate::finish, read by the renderings of report/. Everything is sorted,
/// every time is integer nanoseconds, every sum is exact. What was not measured is an empty optional or a count of zero
/// samples; the renderings print it as "not measured", never as 0. Strings come off the wire: renderings make them safe.
namespace timesink::analyze {

/// Of a distribution. Quantiles carry the histogram's error (Distribution::kRelativeError); the rest is exact.
struct Quantiles {
    std::uint64_t count = 0;
    Duration sum{};
    Duration min{};
    Duration p50{};
    Duration p90{};
    Duration p95{};
    Duration p99{};
    Duration max{};
    [[nodiscard]] Duration mean() const { return count == 0 ? Duration{} : sum / static_cast<Duration::rep>(count); }
};

/// Accounts added up. Invariant: by_cause sums exactly to wall.
struct Ledger {
    std::uint64_t units = 0;
    Duration wall{};
    Duration hidden{};
    std::array<Duration, attribute::kCauseCount> by_cause{};

    [[nodiscard]] Duration cause(attribute::Cause cause) const { return by_cause[static_cast<std::size_t>(cause)]; }
    [[nodiscard]] Duration bucket(attribute::Bucket bucket) const;
    void add(const attribute::Account& account);
    void add(const Ledger& other);
};

/// Of the units whose threads worked for them alone; the others say nothing about CPU, faults and calls.
struct Resources {
    std::uint64_t units = 0;  ///< how many units these sums are of
    Duration cpu{};
    Duration run_queue{};
    std::uint64_t minor_faults = 0;
    std::uint64_t major_faults = 0;
    request::CallsByClass calls{};
    void add(const request::Unit& unit);
    void add(const Resources& other);
};

/// Calls that are units of another traced process: what these did. Invariant: by_cause and between sum exactly to on_path.
struct Opened {
    std::uint64_t count = 0;
    Duration on_path{};
    std::array<Duration, attribute::kCauseCount> by_cause{};  ///< of the callees' accounts
    Duration between{};                                       ///< outside of the callees' windows
    void add(const Opened& other);
    [[nodiscard]] Duration bucket(attribute::Bucket bucket) const;
};

/// Outgoing calls of one shape: a statement, or a provider's host and route.
struct CallLine {
    bool other = false;  ///< the shapes that did not fit into the table, together; the names below are empty
    attribute::Bucket bucket = attribute::Bucket::provider;
    bool housekeeping = false;
    std::string protocol;
    std::string operation;
    std::string host;       ///< HTTP authority, or address:port where it has none; empty for databases
    std::string line;       ///< under which a rule of the user's wants it; empty: its own
    bool internal = false;  ///< by rule: of a service of the user's own
    std::string statement;  ///< as request::Exchange::statement
    std::uint64_t fingerprint = 0;

    std::uint64_t count = 0;
    std::uint64_t units = 0;         ///< that made at least one
    std::uint64_t most_in_unit = 0;  ///< calls
    std::uint64_t errors = 0;
    std::uint64_t incomplete = 0;  ///< the end of the response was not seen
    Quantiles duration;            ///< sent until read. count, sum and max only where the line is a route's
    Duration on_path{};
    Duration hidden{};
    std::array<Duration, attribute::kCauseCount> by_cause{};  ///< of on_path
    std::uint64_t bytes_out = 0;
    std::uint64_t bytes_in = 0;
    std::optional<std::uint64_t> rows;  ///< of the calls that told; none: none did
    std::uint64_t uncertain = 0;        ///< calls whose owner is inferred
    Opened opened;                      ///< calls whose other end is traced, too
    std::uint64_t connections = 0;      ///< calls that had to open one first
    Duration setup{};                   ///< on the path: connecting, and the start-up traffic of new connections
    std::uint64_t repeats = 0;          ///< calls that came after the answer to an equal one in the same unit
    Duration repeats_on_path{};         ///< of these
    GenAiLine genai;                    ///< calls: 0: none of a language model
    std::uint64_t units_repeating = 0;  ///< units with kTellingRepeats of them or more

    [[nodiscard]] Duration cause(attribute::Cause cause) const { return by_cause[static_cast<std::size_t>(cause)]; }
    void add(const CallLine& other);  ///< sums; neither names nor quantiles
};
/// A statement sent this often again in one unit is a loop, not a coincidence.
inline constexpr std::uint64_t kTellingRepeats = 4;

/// What units moved: see attribute::MovedObject.
struct ObjectSums {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;  ///< of each object once
    std::uint64_t stored = 0;
    std::uint64_t fetched = 0;  ///< some are both
    Duration on_path{};
    void add(const std::vector<attribute::MovedObject>& objects);
    void add(const ObjectSums& other);
};

/// A unit kept whole. Exchanges and pieces beyond a bound are cut off and counted.
struct Exemplar {
    attribute::Account account;
    std::uint64_t exchanges_omitted = 0;
    std::uint64_t pieces_omitted = 0;
};
using Exemplars = std::vector<std::shared_ptr<const Exemplar>>;

/// What can be said of a set of units: of the run, or of one route. Excluded units are not in it.
struct Figures {
    Ledger ledger;
    Quantiles latency;                  ///< of the window: first byte in the kernel until the response is accepted by the kernel
    std::uint64_t client_errors = 0;    ///< status 4xx
    std::uint64_t server_errors = 0;    ///< status 5xx
    std::uint64_t protocol_errors = 0;  ///< broken off or malformed, without a 4xx or 5xx status
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t exchanges = 0;     ///< owned by these units, housekeeping too
    std::uint64_t statements = 0;    ///< of them: the application's on databases
    std::uint64_t housekeeping = 0;  ///< of them: driver and pool traffic
    ObjectSums objects;
    Resources resources;
    Quantiles queue_wait;     ///< of jobs, beside the window: sent to the queue until handed out, where both were seen
    double jobs_in_hand = 0;  ///< mean number of jobs that were worked on at a time, from the first taken to the last done
    Quantiles accept_wait;    ///< beside the window: handshake completed until accept returned, where both were seen
    std::uint64_t units_in_sequence = 0;  ///< with provider calls of different shapes one right after the other
    std::uint64_t calls_in_sequence = 0;  ///< these calls
    Duration sequence_gain{};             ///< on the path: what would be saved if each group took as long as its longest call
    std::vector<CallLine> calls;          ///< by on_path, largest first
    std::uint64_t calls_folded = 0;       ///< shapes that are in the line `other`
    Exemplars slowest;                    ///< slowest first

    [[nodiscard]] std::uint64_t failed() const { return server_errors + protocol_errors; }
};

/// One of several servers that a run saw: the processes that serve one port, and all ports that they serve.
struct ServiceLine {
    std::string name;                  ///< "gunicorn :8000"; unique within the run
    bool other = false;                ///< those that did not fit, together
    std::vector<std::uint16_t> ports;  ///< ascending; none: unix sockets
    std::vector<std::uint32_t> pids;   ///< that served units, ascending
    Figures figures;
};

struct RouteLine {
    std::size_t service = 0;  ///< in Model::services; 0 where there is one only
    bool other = false;       ///< the routes that did not fit into the table, together
    bool partial = false;     ///< seen first after others had been folded: some of its units may be in `other`
    request::UnitKind kind = request::UnitKind::request;
    std::string method;
    std::string route;
    Figures figures;
};

/// What requests went on doing after they had been answered, by their routes. None of it is in any other figure.
struct Background {
    Figures total;
    std::vector<RouteLine>
        routes;  ///< by wall time, largest first; `other` last. `service` beyond the last: of none that has units
    std::uint64_t routes_folded = 0;  ///< lines that are in `other`
    std::uint64_t excluded = 0;       ///< left out: events were lost while it ran
};

enum class FindingKind : std::uint8_t {
    repeated_call,
    workers_saturated,
    cpu_saturated,
    host_steal,
    slow_call,
    connection_per_call,
    calls_in_sequence,
    connection_queue,
    pool_wait,
    loop_busy,
    lock_wait,
    disk_wait,
    page_faults,
    large_result,
    slow_client,
    slow_upload,
    errors,
    error_burst,
    retransmits,
    rate_limited,
    job_queue,
};

enum class Sureness : std::uint8_t { sure, likely, unsure };

/// Something that could be better, with what it would bring at most. docs/findings.md has the thresholds; which of the numbers
/// are set depends on the kind and stands there too. The wording is the renderings'.
struct Finding {
    FindingKind kind{};
    Sureness sureness = Sureness::sure;
    std::optional<Duration> gain;  ///< over all units of the view; empty: cannot be estimated
    std::string method;            ///< the route that shows it best; empty with route: of the whole run
    std::string route;
    std::string subject;                                                 ///< the call, where it is about one
    std::optional<request::UnitKind> unit = request::UnitKind::request;  ///< what its numbers are of; empty: several kinds
    double per_unit = 0;                                                 ///< calls a unit
    double level = 0;     ///< in flight, runnable threads, share of failures or calls (0…1)
    double capacity = 0;  ///< workers, CPUs
    std::uint64_t count = 0;
    std::uint64_t of = 0;
    Duration each{};               ///< length of one call
    std::uint64_t bytes_each = 0;  ///< bytes of one call
    Duration at{};                 ///< since the attach
    Duration length{};
    UnitId example{};  ///< a kept unit that shows it; zero: none
};

/// One step of the time series; all have the same length, a power of two seconds.
struct SeriesPoint {
    std::uint64_t units = 0;   ///< ended in it and counted in the figures
    std::uint64_t failed = 0;  ///< of them
    Duration latency{};        ///< of them, sum
    Duration latency_max{};
    Duration in_flight{};  ///< time spent in it by all units, excluded ones too; divided by the step: mean in flight
    std::optional<std::uint64_t> rss_bytes;  ///< of the target, largest sum of its processes
    std::optional<Duration> steal;           ///< taken by the hypervisor, all CPUs
};
struct Series {
    Instant begin{};
    Duration step{};  ///< zero: no points
    std::vector<SeriesPoint> points;
};

struct ProcessLine {
    std::uint32_t pid = 0;
    std::uint32_t parent = 0;
    std::string comm;
    std::string command_line;  ///< arguments joined by blanks
    std::string runtime;
    std::string runtime_version;
    std::uint64_t units = 0;      ///< counted in the figures
    std::optional<Duration> cpu;  ///< between its first and last sample
    std::optional<std::uint64_t> rss_max_bytes;
};

struct Host {
    std::string kernel;
    std::string machine;
    std::optional<std::uint64_t> cpus;
    std::optional<std::uint64_t> memory_bytes;
    std::optional<bool> hypervisor;
    std::optional<double> busy;      ///< 0…1 of all CPUs, over the run
    std::optional<double> steal;     ///< ditto
    std::optional<double> runnable;  ///< threads, mean of the samples
};

/// Time in which timesink was attached.
struct Window {
    Instant began{};
    Instant ended{};
    [[nodiscard]] Duration length() const { return ended - began; }
};

struct Run {
    std::string version;    ///< of the timesink that recorded it
    std::string target_by;  ///< "pid", "port", "comm", "cgroup", "command"; empty: not told
    std::string target_value;
    std::vector<ProcessLine> processes;  ///< the root first, then by pid
    std::uint64_t processes_omitted = 0;
    std::vector<std::uint16_t> ports;  ///< that served units, busiest first
    Instant began{};                   ///< attached; the first event where that is not told
    Instant ended{};                   ///< detached; the last event where that is not told
    bool detached = false;             ///< false: the recording was cut off
    std::vector<Window> windows;       ///< in order of time, without overlap; one where the recording tells of no attach
    std::optional<std::int64_t> realtime_offset_ns;
    Host host;
    [[nodiscard]] Duration length() const { return ended - began; }
    [[nodiscard]] Duration watched() const {
        Duration together{};
        for (const Window& window : windows) {
            together += window.length();
        }
        return together;
    }
};

/// How busy the server was. Workers are the threads that served one unit at a time; unknown (0) for event loops.
struct Load {
    double in_flight = 0;  ///< mean, between the first unit's begin and the last one's end
    std::uint64_t workers = 0;
    double occupancy = 0;  ///< 0…1: of the workers' time in which they had a unit
};

struct EvidenceShare {
    std::uint64_t exchanges = 0;
    Duration time{};
};

/// Connections that no parser understood, by the other end.
struct OpaquePeer {
    std::string peer;  ///< the remote end of outgoing, the local end of incoming connections
    bool incoming = false;
    std::uint64_t connections = 0;
    std::uint64_t bytes = 0;
    Duration on_path{};  ///< of the units' wall time that was charged to it
};

struct MissingProbe {
    std::string name;
    std::string error;
    std::string costs;
};

/// Processes of a language runtime whose contexts are not followed, or not from where they come.
struct RuntimeGap {
    std::string runtime;  ///< with its version where that is known
    std::string error;
    std::uint64_t processes = 0;
};

/// One of the user's rules, and what it decided.
struct RuleLine {
    std::string line;         ///< empty: it names none
    std::string_view bucket;  ///< "db", "provider", "transfer", "internal"
    std::size_t source_line = 0;
    std::uint64_t calls = 0;  ///< exchanges, those of nobody too
    Duration on_path{};
};

struct Coverage {
    std::uint64_t records = 0;
    std::uint64_t lost = 0;  ///< the larger of the kernel's counters and what the gaps tell
    std::uint64_t malformed = 0;
    std::uint64_t unknown_kinds = 0;
    std::uint64_t out_of_order = 0;
    std::array<std::uint64_t, 5> excluded{};  ///< units left out, indexed by request::Exclusion; [0] is 0
    std::uint64_t exchanges_excluded = 0;     ///< owned by these
    std::uint64_t contradicted = 0;           ///< exchanges that carry the id of another unit than their owner
    std::array<EvidenceShare, 7> evidence{};  ///< exchanges by attribute::Evidence; `none`: no unit was in flight
    std::uint64_t connections = 0;
    std::uint64_t connections_older = 0;  ///< than the attach
    std::uint64_t bytes_moved = 0;
    std::uint64_t bytes_not_captured = 0;
    std::uint64_t bytes_lost = 0;
    std::uint64_t lost_sync = 0;
    std::uint64_t arrivals_missed = 0;    ///< reads of answers: taken to have arrived when they were read
    std::uint64_t threads_missed = 0;     ///< of targets, for which the kernel had no memory
    std::uint64_t probe_runs_missed = 0;  ///< left out by the kernel: the probe was at work on that CPU already
    std::uint64_t retransmits = 0;
    /// Of those: on connections that are known to leave the host. Within it nothing is lost, the other end was late.
    std::uint64_t retransmits_to_others = 0;
    std::vector<OpaquePeer> opaque;   ///< by bytes, largest first
    std::uint64_t opaque_folded = 0;  ///< peers that did not fit, added to the peer "others"
    request::CallsByClass calls{};    ///< by class, of all target threads; calls on sockets are not in it
    std::vector<MissingProbe> missing_probes;
    std::vector<RuntimeGap> runtime_gaps;
    std::optional<bool> payload_captured;  ///< false: it was masked before it was looked at
    std::string rules_file;                ///< empty: no rules of the user's
    std::vector<RuleLine> rules;           ///< in their order
    Duration engine_untold{};              ///< of processes, in which what SQLite executed was not told: its rows came too fast
    [[nodiscard]] std::uint64_t excluded_total() const;
};

struct ProgramCost {
    std::string program;
    std::uint64_t runs = 0;
    Duration time{};
};
struct OwnCost {
    std::optional<Duration> cpu;
    std::optional<std::uint64_t> rss_bytes;
    std::optional<std::uint64_t> events;
    std::optional<std::uint64_t> bytes;
    std::optional<Duration> bpf_measured;  ///< how long the kernel measured its programs
    std::vector<ProgramCost> programs;     ///< within it; by time, largest first
};

struct Model {
    Run run;
    Figures total;
    /// By wall time, largest first. None where there is one only: `total` is it then. A request that one of them makes of another
    /// is in the figures of both, so their sum (`total`) is no wall time of any client.
    std::vector<ServiceLine> services;
    std::vector<RouteLine> routes;    ///< by wall time, largest first; `other` last
    std::uint64_t routes_folded = 0;  ///< lines that are in `other`; a route that came back after it was folded counts again
    Background background;
    std::vector<Finding> findings;  ///< by gain, largest first; those without an estimate last
    Load load;
    Series series;
    Coverage coverage;
    OwnCost own_cost;
    Exemplars sample;                        ///< drawn at random (seeded) from all units, in order of their ids
    std::shared_ptr<const Exemplar> wanted;  ///< the unit asked for in Options::keep_unit, if it was seen

    /// Of all routes; empty: of several kinds. Requests where there is none.
    [[nodiscard]] std::optional<request::UnitKind> unit_kind() const;
};

}  // namespace timesink::analyze
