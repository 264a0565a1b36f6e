#include "report/json.hpp"

#include <algorithm>
#include <array>

#include "report/account_json.hpp"
#include "report/genai_json.hpp"
#include "report/json_writer.hpp"
#include "report/numbers.hpp"
#include "report/storage_json.hpp"
#include "report/text.hpp"
#include "report/unit_tree.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

using analyze::Figures;
using analyze::Model;
using analyze::Quantiles;

void write_quantiles(JsonWriter& json, std::string_view key, const Quantiles& quantiles, bool all) {
    json.key(key).open('{').member("count", quantiles.count).member("sum_ns", quantiles.sum).member("mean_ns", quantiles.mean());
    if (all && quantiles.count > 0) {
        json.member("min_ns", quantiles.min).member("p50_ns", quantiles.p50).member("p90_ns", quantiles.p90);
        json.member("p95_ns", quantiles.p95).member("p99_ns", quantiles.p99);
    }
    json.member("max_ns", quantiles.max).close('}');
}

void write_call(JsonWriter& json, const analyze::CallLine& call, bool quantiles) {
    json.open('{').member("other", call.other);
    if (call.other) {
        json.key("bucket").null();
    } else {
        json.member("bucket", attribute::name(call.bucket));
    }
    json.member("protocol", call.protocol).member("operation", call.operation).member_or_null("host", call.host);
    json.member_or_null("line", call.line).member("internal", call.internal);
    json.member("statement", call.statement).member("housekeeping", call.housekeeping);
    json.member("count", call.count).member("units", call.units).member("most_in_unit", call.most_in_unit);
    json.member("errors", call.errors).member("incomplete", call.incomplete);
    write_quantiles(json, "duration", call.duration, quantiles);
    json.member("on_path_ns", call.on_path).member("hidden_ns", call.hidden);
    write_causes(json, call.by_cause);
    json.member("bytes_out", call.bytes_out).member("bytes_in", call.bytes_in).member("rows", call.rows);
    json.member("inferred", call.uncertain).member("connections", call.connections).member("setup_ns", call.setup);
    if (call.opened.count > 0) {
        json.key("opened").open('{').member("count", call.opened.count).member("on_path_ns", call.opened.on_path);
        write_buckets(json, call.opened.by_cause);
        write_causes(json, call.opened.by_cause);
        json.member("between_ns", call.opened.between).close('}');
    } else {
        json.key("opened").null();
    }
    json.member("repeats", call.repeats).member("repeats_on_path_ns", call.repeats_on_path);
    json.member("units_repeating", call.units_repeating);
    write_genai_line(json, call.genai);
    json.close('}');
}

void write_figures(JsonWriter& json, const Figures& figures, bool of_run) {
    json.member("units", figures.ledger.units).member("wall_ns", figures.ledger.wall);
    write_buckets(json, figures.ledger.by_cause);
    write_causes(json, figures.ledger.by_cause);
    json.key("shares").open('{');
    for (std::size_t i = 0; i < attribute::kBucketCount; ++i) {
        const auto bucket = static_cast<attribute::Bucket>(i);
        if (figures.ledger.wall > Duration{}) {
            json.member(attribute::name(bucket), share_of(figures.ledger.bucket(bucket), figures.ledger.wall));
        } else {
            json.key(attribute::name(bucket)).null();
        }
    }
    json.close('}').member("hidden_ns", figures.ledger.hidden);
    write_quantiles(json, "latency", figures.latency, true);
    json.key("errors").open('{').member("client", figures.client_errors).member("server", figures.server_errors);
    json.member("protocol", figures.protocol_errors).close('}');
    json.member("bytes_in", figures.bytes_in).member("bytes_out", figures.bytes_out);
    json.member("exchanges", figures.exchanges).member("statements", figures.statements);
    json.member("housekeeping", figures.housekeeping);
    write_object_sums(json, figures.objects);
    const analyze::Resources& resources = figures.resources;
    json.key("resources").open('{').member("units", resources.units);
    if (resources.units > 0) {
        json.member("cpu_ns", resources.cpu).member("run_queue_ns", resources.run_queue);
        json.member("minor_faults", resources.minor_faults).member("major_faults", resources.major_faults).key("syscalls");
        write_calls(json, resources.calls);
    }
    json.close('}');
    if (figures.accept_wait.count > 0) {
        write_quantiles(json, "accept_wait", figures.accept_wait, true);
    } else {
        json.key("accept_wait").null();
    }
    if (figures.queue_wait.count > 0) {
        write_quantiles(json, "queue_wait", figures.queue_wait, true);
        json.member("jobs_in_hand", figures.jobs_in_hand);
    } else {
        json.key("queue_wait").null().key("jobs_in_hand").null();
    }
    json.key("in_sequence").open('{').member("units", figures.units_in_sequence);
    json.member("calls", figures.calls_in_sequence).member("gain_ns", figures.sequence_gain).close('}');
    json.member("calls_folded", figures.calls_folded).key("calls").open('[');
    for (const analyze::CallLine& call : figures.calls) {
        write_call(json, call, of_run);
    }
    json.close(']');
}

void write_exemplar(JsonWriter& json, const analyze::Exemplar& exemplar) {
    json.open('{');
    write_unit(json, exemplar.account);
    json.member("exchanges_omitted", exemplar.exchanges_omitted).member("pieces_omitted", exemplar.pieces_omitted);
    json.key("steps").open('[');
    for (const UnitStep& step : steps(exemplar.account)) {
        json.open('{').member("begin_ns", step.begin).member("length_ns", step.length).member("on_path_ns", step.on_path);
        json.key("causes").open('{');
        for (const auto& [cause, time] : step.causes) {
            json.member(attribute::name(cause), time);
        }
        json.close('}').key("exchange");
        if (step.call == nullptr) {
            json.null();
        } else {
            json.open('{');
            write_exchange(json, *step.call);
            json.close('}');
        }
        json.close('}');
    }
    json.close(']').close('}');
}

void write_run(JsonWriter& json, const Model& model) {
    const analyze::Run& run = model.run;
    json.key("run").open('{').member_or_null("timesink", run.version);
    json.key("target").open('{').member_or_null("by", run.target_by).member_or_null("value", run.target_value).close('}');
    json.member("began_ns", run.began).member("ended_ns", run.ended).member("length_ns", run.length());
    json.member("watched_ns", run.watched()).key("windows").open('[');
    for (const analyze::Window& window : run.windows) {
        json.open('{').member("began_ns", window.began).member("ended_ns", window.ended).close('}');
    }
    json.close(']');
    json.member("complete", run.detached).key("realtime_offset_ns");
    run.realtime_offset_ns ? json.number(*run.realtime_offset_ns) : json.null();
    json.key("ports").open('[');
    for (const std::uint16_t port : run.ports) {
        json.number(std::uint64_t{port});
    }
    json.close(']').key("processes").open('[');
    for (const analyze::ProcessLine& process : run.processes) {
        json.open('{').member("pid", std::uint64_t{process.pid}).member("parent", std::uint64_t{process.parent});
        json.member_or_null("comm", process.comm).member_or_null("command_line", process.command_line);
        json.member_or_null("runtime", process.runtime).member_or_null("runtime_version", process.runtime_version);
        json.member("units", process.units)
            .member("cpu_ns", process.cpu)
            .member("rss_max_bytes", process.rss_max_bytes)
            .close('}');
    }
    json.close(']').member("processes_omitted", run.processes_omitted);
    const analyze::Host& host = run.host;
    json.key("host").open('{').member_or_null("kernel", host.kernel).member_or_null("machine", host.machine);
    json.member("cpus", host.cpus).member("memory_bytes", host.memory_bytes).member("hypervisor", host.hypervisor);
    json.member("busy", host.busy).member("steal", host.steal).member("runnable", host.runnable).close('}');
    json.key("load").open('{').member("in_flight", model.load.in_flight);
    if (model.load.workers > 0) {
        json.member("workers", model.load.workers).member("occupancy", model.load.occupancy);
    } else {
        json.key("workers").null().key("occupancy").null();
    }
    json.close('}').close('}');
}

void write_services(JsonWriter& json, const Model& model) {
    json.key("services").open('[');
    for (const analyze::ServiceLine& service : model.services) {
        json.open('{').member("name", service.name).member("other", service.other).key("ports").open('[');
        for (const std::uint16_t port : service.ports) {
            json.number(std::uint64_t{port});
        }
        json.close(']').key("pids").open('[');
        for (const std::uint32_t pid : service.pids) {
            json.number(std::uint64_t{pid});
        }
        json.close(']');
        write_figures(json, service.figures, false);
        json.close('}');
    }
    json.close(']');
}

void write_background(JsonWriter& json, const Model& model, const analyze::RouteLine* only) {
    const analyze::Background& background = model.background;
    json.key("background").open('{');
    write_figures(json, background.total, false);
    json.member("excluded", background.excluded).key("routes").open('[');
    for (const analyze::RouteLine& line : background.routes) {
        if (only != nullptr &&
            (line.other || line.service != only->service || line.method != only->method || line.route != only->route)) {
            continue;
        }
        json.open('{');
        if (!model.services.empty()) {
            json.member_or_null("service", line.other || line.service >= model.services.size()
                                               ? std::string_view()
                                               : std::string_view(model.services[line.service].name));
        }
        json.member("other", line.other).member("partial", line.partial);
        json.member("method", line.method).member("route", line.route);
        write_figures(json, line.figures, false);
        json.close('}');
    }
    json.close(']').member("routes_folded", background.routes_folded).close('}');
}

void write_findings(JsonWriter& json, const Model& model) {
    const Safe raw = [](std::string_view text) { return std::string(text); };
    json.key("findings").open('[');
    for (const analyze::Finding& finding : model.findings) {
        json.open('{').member("kind", name(finding.kind)).member("sureness", name(finding.sureness));
        json.member("gain_ns", finding.gain).key("gain_per_unit_ns");
        if (finding.gain && model.total.ledger.units > 0) {
            json.number(to_ns(*finding.gain / static_cast<Duration::rep>(model.total.ledger.units)));
            json.member("gain_share", share_of(*finding.gain, model.total.ledger.wall));
        } else {
            json.null().key("gain_share").null();
        }
        json.member_or_null("method", finding.method).member_or_null("route", finding.route);
        json.member_or_null("subject", finding.subject).member("per_unit", finding.per_unit);
        json.member("level", finding.level).member("capacity", finding.capacity);
        json.member("count", finding.count).member("of", finding.of).member("each_ns", finding.each);
        json.member("bytes_each", finding.bytes_each).member("at_ns", finding.at).member("length_ns", finding.length);
        json.key("example");
        finding.example == UnitId{} ? json.null() : json.number(number(finding.example));
        constexpr std::size_t kWhole = 1000;
        json.member("sentence", sentence(finding, raw, kWhole)).close('}');
    }
    json.close(']');
}

void write_coverage(JsonWriter& json, const Model& model) {
    const analyze::Coverage& coverage = model.coverage;
    json.key("coverage").open('{').key("events").open('{').member("handed_on", coverage.records).member("lost", coverage.lost);
    json.member("malformed", coverage.malformed).member("unknown_kinds", coverage.unknown_kinds);
    json.member("out_of_order", coverage.out_of_order).close('}');
    json.key("excluded").open('{');
    for (std::size_t i = 1; i < coverage.excluded.size(); ++i) {
        json.member(name(static_cast<request::Exclusion>(i)), coverage.excluded[i]);
    }
    json.close('}').member("exchanges_excluded", coverage.exchanges_excluded).key("evidence").open('{');
    for (std::size_t i = 0; i < coverage.evidence.size(); ++i) {
        const analyze::EvidenceShare& share = coverage.evidence[i];
        json.key(attribute::name(static_cast<attribute::Evidence>(i))).open('{');
        json.member("exchanges", share.exchanges).member("time_ns", share.time).close('}');
    }
    json.close('}').member("contradicted", coverage.contradicted);
    json.key("connections").open('{').member("seen", coverage.connections);
    json.member("older_than_attach", coverage.connections_older).member("bytes_moved", coverage.bytes_moved);
    json.member("bytes_not_captured", coverage.bytes_not_captured).member("bytes_lost", coverage.bytes_lost);
    json.member("lost_sync", coverage.lost_sync).member("arrivals_missed", coverage.arrivals_missed);
    json.member("retransmits", coverage.retransmits).close('}');
    json.key("not_decoded").open('[');
    for (const analyze::OpaquePeer& peer : coverage.opaque) {
        json.open('{').member("peer", peer.peer).member("incoming", peer.incoming).member("connections", peer.connections);
        json.member("bytes", peer.bytes).member("on_path_ns", peer.on_path).close('}');
    }
    json.close(']').member("not_decoded_folded", coverage.opaque_folded).key("syscalls");
    write_calls(json, coverage.calls);
    json.member("threads_missed", coverage.threads_missed).member("probe_runs_missed", coverage.probe_runs_missed);
    json.key("missing_probes").open('[');
    for (const analyze::MissingProbe& probe : coverage.missing_probes) {
        json.open('{')
            .member("name", probe.name)
            .member_or_null("error", probe.error)
            .member_or_null("costs", probe.costs)
            .close('}');
    }
    json.close(']').key("runtime_gaps").open('[');
    for (const analyze::RuntimeGap& gap : coverage.runtime_gaps) {
        json.open('{').member("runtime", gap.runtime).member_or_null("error", gap.error).member("processes", gap.processes);
        json.close('}');
    }
    json.close(']').member("sqlite_untold_ns", coverage.engine_untold);
    if (coverage.payload_captured) {
        json.member("payload_captured", *coverage.payload_captured);
    }
    write_rules(json, coverage);
    json.close('}');
}

void write_own_cost(JsonWriter& json, const analyze::OwnCost& cost) {
    json.key("own_cost").open('{').member("cpu_ns", cost.cpu).member("rss_bytes", cost.rss_bytes).member("events", cost.events);
    json.member("bytes", cost.bytes).member("bpf_measured_ns", cost.bpf_measured).key("bpf").open('[');
    for (const analyze::ProgramCost& program : cost.programs) {
        json.open('{').member("program", program.program).member("runs", program.runs).member("ns", program.time).close('}');
    }
    json.close(']').close('}');
}

void write_series(JsonWriter& json, const analyze::Series& series) {
    json.key("series").open('{').member("begin_ns", series.begin).member("step_ns", series.step).key("points").open('[');
    for (const analyze::SeriesPoint& point : series.points) {
        json.open('{').member("units", point.units).member("failed", point.failed).member("latency_sum_ns", point.latency);
        json.member("latency_max_ns", point.latency_max).member("in_flight_ns", point.in_flight);
        json.member("rss_bytes", point.rss_bytes).member("steal_ns", point.steal).close('}');
    }
    json.close(']').close('}');
}

}  // namespace

Result<std::string> render_json(const Model& model, const JsonOptions& options) {
    const analyze::RouteLine* only = nullptr;
    if (!options.route.empty()) {
        const Result<const analyze::ServiceLine*> service = find_service(model, options.service);
        if (!service) {
            return service.error();
        }
        const Result<const analyze::RouteLine*> found = find_route(model, options.route, *service);
        if (!found) {
            return found.error();
        }
        only = *found;
    }
    const analyze::Exemplar* unit = options.unit ? find_unit(model, *options.unit) : nullptr;
    if (options.unit && unit == nullptr) {
        return Error{"unit " + std::to_string(number(*options.unit)) + ": not seen in this run"};
    }
    std::string out;
    JsonWriter json(out, 1);
    json.open('{').member("schema", "timesink.report").member("version", kReportSchemaVersion);
    write_run(json, model);
    json.key("total").open('{');
    write_figures(json, model.total, true);
    json.close('}');
    write_services(json, model);
    json.key("routes").open('[');
    for (const analyze::RouteLine& line : model.routes) {
        if (only == nullptr || only == &line) {
            json.open('{');
            if (!model.services.empty()) {
                json.member("service", model.services[line.service].name);
            }
            json.member("other", line.other).member("partial", line.partial).member("kind", name(line.kind));
            json.member("method", line.method).member("route", line.route);
            write_figures(json, line.figures, false);
            json.close('}');
        }
    }
    json.close(']').member("routes_folded", model.routes_folded);
    write_background(json, model, only);
    write_findings(json, model);
    write_coverage(json, model);
    write_own_cost(json, model.own_cost);
    write_series(json, model.series);
    json.key("slowest").open('[');
    const analyze::Exemplars& slowest = only == nullptr ? model.total.slowest : only->figures.slowest;
    for (std::size_t i = 0; i < std::min(options.slowest, slowest.size()); ++i) {
        write_exemplar(json, *slowest[i]);
    }
    json.close(']').key("unit");
    if (unit != nullptr) {
        write_exemplar(json, *unit);
    } else {
        json.null();
    }
    json.close('}');
    return out + "\n";
}

}  // namespace timesink::report
