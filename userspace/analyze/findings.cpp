#include "analyze/findings.hpp"

#include <algorithm>
#include <tuple>

#include "analyze/call_name.hpp"

namespace timesink::analyze {

namespace {

using attribute::Bucket;
using attribute::Cause;

constexpr double kSlowCallShare = 0.20;
constexpr Duration kSlowCall = std::chrono::milliseconds(1);
constexpr double kConnectingShare = 0.5;
constexpr double kWaitShare = 0.05;
constexpr double kBusyWorkers = 0.7;
constexpr double kBusyHost = 0.9;
constexpr double kStealShare = 0.02;
constexpr double kResultShare = 0.10;
constexpr std::uint64_t kLargeResult = 65536;
constexpr double kSlowClientShare = 0.10;
constexpr double kErrorShare = 0.01;
constexpr std::uint64_t kFewestErrors = 10;
constexpr double kBurstShare = 0.5;
constexpr double kBurstRatio = 5;
constexpr std::uint64_t kFewestRetransmits = 10;
constexpr double kRetransmitsPerExchange = 0.001;
constexpr double kInferredShare = 0.2;

double ratio(Duration part, Duration whole) {
    return whole <= Duration{} ? 0 : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}
double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// Collects findings about one model; `worth` is the common threshold.
class Search {
public:
    explicit Search(const Model& model) : model_(model) {}

    std::vector<Finding> run() {
        for (const RouteLine& route : model_.routes) {
            if (!route.other && route.figures.ledger.units >= kFewestUnits) {
                repeated_calls(route);
                connections(route);
                sequences(route);
                large_results(route);
                slow_clients(route);
                rate_limits(route);
                job_queues(route);
                errors(route);
            }
        }
        if (model_.total.ledger.units >= kFewestUnits) {
            slow_calls();
            waits();
            workers();
            cpu();
            steal();
        }
        error_burst();
        retransmits();
        const auto rank = [](const Finding& finding) {
            return std::make_tuple(!finding.gain.has_value(), -finding.gain.value_or(Duration{}), finding.kind,
                                   std::string_view(finding.route), std::string_view(finding.method),
                                   std::string_view(finding.subject));
        };
        std::sort(found_.begin(), found_.end(), [&](const Finding& a, const Finding& b) { return rank(a) < rank(b); });
        return std::move(found_);
    }

private:
    [[nodiscard]] bool worth(Duration gain, const Figures& of) const {
        const auto units = static_cast<Duration::rep>(std::max<std::uint64_t>(of.ledger.units, 1));
        return ratio(gain, of.ledger.wall) >= kLeastShareOfRoute && ratio(gain, model_.total.ledger.wall) >= kLeastShareOfRun &&
               gain / units >= kLeastGainPerUnit;
    }

    [[nodiscard]] Finding of_run(FindingKind kind) const {
        Finding finding;
        finding.kind = kind;
        finding.unit = model_.unit_kind();
        return finding;
    }

    static Finding about(FindingKind kind, const RouteLine& route) {
        Finding finding;
        finding.kind = kind;
        finding.method = route.method;
        finding.route = route.route;
        finding.unit = route.kind;
        if (!route.figures.slowest.empty()) {
            finding.example = route.figures.slowest.front()->account.unit.id;
        }
        return finding;
    }

    static void describe(Finding& finding, const CallLine& call, const Figures& of) {
        finding.subject = call_name(call);
        finding.per_unit = ratio(call.count, of.ledger.units);
        finding.each = call.duration.mean();
        finding.bytes_each = call.count == 0 ? 0 : call.bytes_in / call.count;
        finding.count = call.count;
        finding.of = of.ledger.units;
        if (ratio(call.uncertain, call.count) > kInferredShare) {
            finding.sureness = Sureness::likely;
        }
    }

    void repeated_calls(const RouteLine& route) {
        for (const CallLine& call : route.figures.calls) {
            if (call.other || call.housekeeping || ratio(call.units_repeating, route.figures.ledger.units) < 0.2 ||
                !worth(call.repeats_on_path, route.figures)) {
                continue;
            }
            Finding finding = about(FindingKind::repeated_call, route);
            describe(finding, call, route.figures);
            finding.gain = call.repeats_on_path;
            repeated_.push_back(&call);
            found_.push_back(std::move(finding));
        }
    }

    void connections(const RouteLine& route) {
        // Start-up traffic is a line of its own; it belongs to the connections that the application's calls needed.
        Duration setup{};
        std::uint64_t opened = 0;
        std::uint64_t calls = 0;
        const CallLine* most = nullptr;
        for (const CallLine& call : route.figures.calls) {
            setup += call.setup;
            opened += call.connections;
            calls += call.housekeeping ? 0 : call.count;
            if (call.connections > 0 && (most == nullptr || call.setup > most->setup)) {
                most = &call;
            }
        }
        if (most == nullptr || ratio(opened, route.figures.ledger.units) < kConnectingShare || !worth(setup, route.figures)) {
            return;
        }
        Finding finding = about(FindingKind::connection_per_call, route);
        finding.subject = most->host.empty() ? most->protocol : most->host;
        finding.per_unit = ratio(opened, route.figures.ledger.units);
        finding.count = opened;
        finding.of = calls;
        finding.gain = setup;
        found_.push_back(std::move(finding));
    }

    void sequences(const RouteLine& route) {
        const Figures& figures = route.figures;
        if (ratio(figures.units_in_sequence, figures.ledger.units) < 0.2 || !worth(figures.sequence_gain, figures)) {
            return;
        }
        Finding finding = about(FindingKind::calls_in_sequence, route);
        finding.sureness = Sureness::unsure;  // whether the second call needs the first one's answer cannot be seen
        finding.per_unit = ratio(figures.calls_in_sequence, figures.units_in_sequence);
        finding.count = figures.units_in_sequence;
        finding.of = figures.ledger.units;
        finding.gain = figures.sequence_gain;
        found_.push_back(std::move(finding));
    }

    void large_results(const RouteLine& route) {
        for (const CallLine& call : route.figures.calls) {
            const Duration moving = call.cause(Cause::db_result);
            if (call.other || call.count == 0 || call.bytes_in / call.count < kLargeResult ||
                ratio(moving, route.figures.ledger.wall) < kResultShare || !worth(moving, route.figures)) {
                continue;
            }
            Finding finding = about(FindingKind::large_result, route);
            describe(finding, call, route.figures);
            finding.gain = moving;
            found_.push_back(std::move(finding));
        }
    }

    void slow_clients(const RouteLine& route) {
        const Figures& figures = route.figures;
        const auto look = [&](FindingKind kind, Cause cause, std::uint64_t bytes) {
            const Duration gain = figures.ledger.cause(cause);
            if (ratio(gain, figures.ledger.wall) < kSlowClientShare || !worth(gain, figures)) {
                return;
            }
            Finding finding = about(kind, route);
            finding.bytes_each = bytes / figures.ledger.units;
            finding.gain = gain;
            found_.push_back(std::move(finding));
        };
        look(FindingKind::slow_client, Cause::transfer_response, figures.bytes_out);
        look(FindingKind::slow_upload, Cause::transfer_request, figures.bytes_in);
    }

    void errors(const RouteLine& route) {
        const std::uint64_t failed = route.figures.failed();
        const double share = ratio(failed, route.figures.ledger.units);
        if (failed < kFewestErrors || share < kErrorShare) {
            return;
        }
        Finding finding = about(FindingKind::errors, route);
        finding.level = share;
        finding.count = failed;
        finding.of = route.figures.ledger.units;
        found_.push_back(std::move(finding));
    }

    /// The route that has most of a cause.
    [[nodiscard]] const RouteLine* worst(Cause cause) const {
        const RouteLine* worst = nullptr;
        for (const RouteLine& route : model_.routes) {
            if (!route.other && (worst == nullptr || route.figures.ledger.cause(cause) > worst->figures.ledger.cause(cause))) {
                worst = &route;
            }
        }
        return worst;
    }

    void rate_limits(const RouteLine& route) {
        for (const CallLine& call : route.figures.calls) {
            const Duration gain = call.genai.retry_wait + call.genai.failed_on_path;
            if (call.other || call.genai.rate_limited == 0 || !worth(gain, route.figures)) {
                continue;
            }
            Finding finding = about(FindingKind::rate_limited, route);
            describe(finding, call, route.figures);
            finding.gain = gain;
            finding.count = call.genai.rate_limited;
            finding.of = call.genai.calls;
            finding.each =
                call.genai.retries == 0 ? Duration{} : call.genai.retry_wait / static_cast<Duration::rep>(call.genai.retries);
            found_.push_back(std::move(finding));
        }
    }

    /// Jobs that wait for longer than half of what they take. That is beside their windows, so no time of theirs would be gained.
    void job_queues(const RouteLine& route) {
        const Quantiles& wait = route.figures.queue_wait;
        const auto units = static_cast<Duration::rep>(route.figures.ledger.units);
        if (wait.count < kFewestUnits || wait.mean() < route.figures.ledger.wall / units / 2) {
            return;
        }
        Finding finding = about(FindingKind::job_queue, route);
        finding.sureness = Sureness::likely;  // whoever calls may have meant them to wait
        finding.each = wait.mean();
        finding.level = ratio(wait.mean(), route.figures.ledger.wall / units);
        finding.capacity = route.figures.jobs_in_hand;
        finding.count = wait.count;
        finding.of = route.figures.ledger.units;
        found_.push_back(std::move(finding));
    }

    void slow_calls() {
        for (const CallLine& call : model_.total.calls) {
            const Duration serving = call.on_path - call.cause(Cause::db_queue) - call.cause(Cause::provider_queue) - call.setup;
            if (call.other || call.housekeeping || ratio(serving, model_.total.ledger.wall) < kSlowCallShare ||
                call.duration.mean() < kSlowCall || !worth(serving, model_.total) || is_repeated(call)) {
                continue;
            }
            Finding finding = of_run(FindingKind::slow_call);
            describe(finding, call, model_.total);
            if (const RouteLine* route = route_with_most_of(call)) {
                finding.method = route->method;
                finding.route = route->route;
                finding.example = route->figures.slowest.empty() ? UnitId{} : route->figures.slowest.front()->account.unit.id;
            }
            finding.gain = serving;
            finding.level = ratio(call.genai.generating, call.on_path);
            finding.capacity = finding.level > 0 ? call.genai.tokens_a_second() : 0;
            found_.push_back(std::move(finding));
        }
    }

    [[nodiscard]] bool is_repeated(const CallLine& call) const {
        return std::any_of(repeated_.begin(), repeated_.end(), [&](const CallLine* each) { return same_call(*each, call); });
    }

    static bool same_call(const CallLine& a, const CallLine& b) {
        return std::tie(a.bucket, a.protocol, a.operation, a.host, a.statement) ==
               std::tie(b.bucket, b.protocol, b.operation, b.host, b.statement);
    }

    [[nodiscard]] const RouteLine* route_with_most_of(const CallLine& call) const {
        const RouteLine* most = nullptr;
        Duration largest{};
        for (const RouteLine& route : model_.routes) {
            for (const CallLine& each : route.figures.calls) {
                if (!route.other && !each.other && same_call(each, call) && each.on_path > largest) {
                    largest = each.on_path;
                    most = &route;
                }
            }
        }
        return most;
    }

    void waits() {
        struct Wait {
            FindingKind kind;
            Cause cause;
            Sureness sureness;
        };
        constexpr std::array<Wait, 6> kWaits = {{
            {FindingKind::connection_queue, Cause::db_queue, Sureness::sure},
            {FindingKind::pool_wait, Cause::pool_wait, Sureness::likely},
            {FindingKind::loop_busy, Cause::loop_busy, Sureness::sure},
            {FindingKind::lock_wait, Cause::lock, Sureness::sure},
            {FindingKind::disk_wait, Cause::disk, Sureness::sure},
            {FindingKind::page_faults, Cause::page_fault, Sureness::sure},
        }};
        for (const Wait& wait : kWaits) {
            const Duration gain = model_.total.ledger.cause(wait.cause);
            const RouteLine* route = worst(wait.cause);
            if (route == nullptr || ratio(gain, model_.total.ledger.wall) < kWaitShare || !worth(gain, model_.total)) {
                continue;
            }
            Finding finding = about(wait.kind, *route);
            finding.unit = model_.unit_kind();
            finding.sureness = wait.sureness;
            finding.gain = gain;
            const Resources& resources = model_.total.resources;
            if (wait.cause == Cause::disk) {
                finding.per_unit = ratio(resources.calls[TS_CLASS_FILE_SYNC].calls, resources.units);
            }
            finding.count = wait.cause == Cause::page_fault ? resources.major_faults : 0;
            found_.push_back(std::move(finding));
        }
    }

    void workers() {
        const Duration gain = model_.total.ledger.cause(Cause::backlog);
        if (model_.load.workers == 0 || model_.load.occupancy < kBusyWorkers ||
            ratio(gain, model_.total.ledger.wall) < kWaitShare || !worth(gain, model_.total)) {
            return;
        }
        Finding finding = of_run(FindingKind::workers_saturated);
        // Units in flight beyond the workers are what waits; without them the backlog has another reason as well.
        finding.sureness = model_.load.in_flight > static_cast<double>(model_.load.workers) ? Sureness::sure : Sureness::likely;
        finding.level = model_.load.in_flight;
        finding.capacity = static_cast<double>(model_.load.workers);
        finding.gain = gain;
        found_.push_back(std::move(finding));
    }

    void cpu() {
        const Host& host = model_.run.host;
        const Duration gain = model_.total.ledger.cause(Cause::run_queue);
        if (ratio(gain, model_.total.ledger.wall) < kWaitShare || !worth(gain, model_.total)) {
            return;
        }
        Finding finding = of_run(FindingKind::cpu_saturated);
        finding.capacity = static_cast<double>(host.cpus.value_or(0));
        finding.level = host.runnable.value_or(0);
        const bool crowded = host.cpus && host.runnable && *host.runnable > static_cast<double>(*host.cpus);
        // A queue on a host with free CPUs is a limit of a cgroup or an affinity: that it waits is sure, why is not.
        finding.sureness = crowded || host.busy.value_or(0) >= kBusyHost ? Sureness::sure : Sureness::likely;
        finding.gain = gain;
        found_.push_back(std::move(finding));
    }

    void steal() {
        const double stolen = model_.run.host.steal.value_or(0);
        if (stolen < kStealShare) {
            return;
        }
        Finding finding = of_run(FindingKind::host_steal);
        finding.level = stolen;
        found_.push_back(std::move(finding));
    }

    void error_burst() {
        const std::uint64_t failed = model_.total.failed();
        const Series& series = model_.series;
        if (failed < kFewestErrors || series.points.size() < 2) {
            return;
        }
        const auto peak = std::max_element(series.points.begin(), series.points.end(),
                                           [](const SeriesPoint& a, const SeriesPoint& b) { return a.failed < b.failed; });
        const double here = ratio(peak->failed, peak->units);
        if (peak->failed < kFewestErrors || ratio(peak->failed, failed) < kBurstShare ||
            here < kBurstRatio * ratio(failed - peak->failed,
                                       model_.total.ledger.units - std::min(peak->units, model_.total.ledger.units)) ||
            here < 2 * ratio(failed, model_.total.ledger.units)) {
            return;
        }
        Finding finding = of_run(FindingKind::error_burst);
        finding.count = peak->failed;
        finding.of = failed;
        finding.at = series.step * (peak - series.points.begin());
        finding.length = series.step;
        found_.push_back(std::move(finding));
    }

    void retransmits() {
        std::uint64_t messages = model_.total.ledger.units;
        for (const EvidenceShare& share : model_.coverage.evidence) {
            messages += share.exchanges;
        }
        const std::uint64_t count = model_.coverage.retransmits_to_others;
        if (count < kFewestRetransmits || ratio(count, messages) < kRetransmitsPerExchange) {
            return;
        }
        Finding finding = of_run(FindingKind::retransmits);
        finding.count = count;
        finding.of = messages;
        found_.push_back(std::move(finding));
    }

    const Model& model_;
    std::vector<Finding> found_;
    std::vector<const CallLine*> repeated_;
};

}  // namespace

std::vector<Finding> find_all(const Model& model) {
    return Search(model).run();
}

}  // namespace timesink::analyze
