#include <array>

#include "report/numbers.hpp"
#include "report/wording.hpp"

/// The sentences about the run: whom it was about, what it did not see, what it cost.
namespace timesink::report {

namespace {

using analyze::Model;
using attribute::Evidence;

std::string target_name(const Model& model, const Safe& safe) {
    if (!model.run.processes.empty() && !model.run.processes.front().comm.empty()) {
        return safe(model.run.processes.front().comm);
    }
    if (!model.run.target_value.empty()) {
        return safe(model.run.target_by) + " " + safe(model.run.target_value);
    }
    return "unknown target";
}

std::string process_text(const Model& model, const Safe& safe) {
    std::string text;
    if (!model.run.processes.empty() && !model.run.processes.front().runtime.empty()) {
        const analyze::ProcessLine& root = model.run.processes.front();
        text = safe(root.runtime) + (root.runtime_version.empty() ? "" : " " + safe(root.runtime_version));
    }
    if (model.load.workers > 0) {
        text += (text.empty() ? "" : ", ") + noun(model.load.workers, "worker");
    }
    if (!model.run.processes.empty()) {
        const std::size_t more = model.run.processes.size() - 1 + model.run.processes_omitted;
        text += (text.empty() ? "(pid " : " (pid ") + std::to_string(model.run.processes.front().pid) +
                (more > 0 ? " +" + grouped(more) : "") + ")";
    }
    return text;
}

std::string length_text(const analyze::Run& run) {
    const std::string cut_off = run.detached ? "" : " (cut off)";
    if (run.windows.size() < 2) {
        return run_length(run.length()) + cut_off;
    }
    return run_length(run.watched()) + " of " + run_length(run.length()) + ", in " + grouped(run.windows.size()) + " windows" +
           cut_off;
}

/// How many, how often, how many failed.
std::vector<std::string> rate_items(const Model& model, const analyze::Figures& figures) {
    std::vector<std::string> items = {noun(figures.ledger.units, unit_noun(model))};
    if (figures.ledger.units > 0 && model.run.watched() > Duration{}) {
        const double seconds = static_cast<double>(model.run.watched().count()) / 1e9;
        items.push_back(three_digits(static_cast<double>(figures.ledger.units) / seconds) + " /s");
    }
    if (figures.ledger.units > 0) {
        items.push_back(percent(share_of(figures.failed(), figures.ledger.units)) + " errors");
    }
    return items;
}

}  // namespace

std::vector<std::string> header_items(const Model& model, const analyze::Figures& figures, const Safe& safe) {
    if (!model.services.empty()) {
        std::vector<std::string> items = {noun(model.services.size(), "service"), length_text(model.run)};
        const std::vector<std::string> rest = rate_items(model, figures);
        items.insert(items.end(), rest.begin(), rest.end());
        return items;
    }
    std::vector<std::string> items = {target_name(model, safe)};
    if (const std::string processes = process_text(model, safe); !processes.empty()) {
        items.push_back(processes);
    }
    if (!model.run.ports.empty()) {
        std::string ports;
        for (std::size_t i = 0; i < model.run.ports.size() && i < 3; ++i) {
            ports += (i == 0 ? ":" : " :") + std::to_string(model.run.ports[i]);
        }
        items.push_back(ports + (model.run.ports.size() > 3 ? " +" + std::to_string(model.run.ports.size() - 3) : ""));
    }
    items.push_back(length_text(model.run));
    const std::vector<std::string> rest = rate_items(model, figures);
    items.insert(items.end(), rest.begin(), rest.end());
    return items;
}

std::vector<std::string> service_items(const Model& model, const analyze::ServiceLine& service, const Safe& safe) {
    std::vector<std::string> items = {safe(service.name)};
    if (!service.pids.empty()) {
        const std::size_t more = service.pids.size() - 1;
        items.push_back("pid " + std::to_string(service.pids.front()) + (more > 0 ? " +" + std::to_string(more) : ""));
    }
    const std::vector<std::string> rest = rate_items(model, service.figures);
    items.insert(items.end(), rest.begin(), rest.end());
    return items;
}

std::string queue_wait_text(const analyze::Quantiles& wait) {
    return noun(wait.count, "job") + " waited " + duration(wait.mean()) + " for a worker (p99 " + duration(wait.p99) + ")";
}

std::string nobodys_text(const Model& model) {
    constexpr double kMany = 0.05;
    Duration time{};
    for (std::size_t i = 1; i < model.coverage.evidence.size(); ++i) {
        time += model.coverage.evidence[i].time;
    }
    const analyze::EvidenceShare& share = model.coverage.evidence[static_cast<std::size_t>(Evidence::ambiguous)];
    const auto units = static_cast<Duration::rep>(model.total.ledger.units);
    if (units == 0 || share_of(share.time, time) < kMany) {
        return "";
    }
    return duration(share.time / units) + " of calls whose owner is not known: in none of these lines";
}

namespace {

std::string owners_text(const analyze::Coverage& coverage) {
    std::uint64_t all = 0;
    Duration time{};
    for (std::size_t i = 1; i < coverage.evidence.size(); ++i) {
        all += coverage.evidence[i].exchanges;
        time += coverage.evidence[i].time;
    }
    if (all == 0) {
        return "owners: no outgoing call during a request";
    }
    std::string text = "owners: ";
    for (std::size_t i = 1; i < coverage.evidence.size(); ++i) {
        const auto evidence = static_cast<Evidence>(i);
        const analyze::EvidenceShare& share = coverage.evidence[i];
        if (evidence == Evidence::ambiguous) {
            text += "ambiguous " + percent_short(share_of(share.exchanges, all));
            if (share.exchanges > 0) {
                text += " (" + percent_short(share_of(share.time, time)) + " of the calls' time)";
            }
        } else if (share.exchanges > 0) {
            text += std::string(attribute::name(evidence)) + " " + percent_short(share_of(share.exchanges, all)) + " · ";
        }
    }
    if (coverage.contradicted > 0) {
        text += " · " + noun(coverage.contradicted, "call") + " with another request's id";
    }
    return text;
}

/// Which of the user's rules decided how often, and which never did.
std::string rules_text(const analyze::Coverage& coverage, const Safe& safe) {
    constexpr std::size_t kMostNamed = 5;
    const auto listed = [&](bool used) {
        std::string text;
        std::size_t count = 0;
        for (const analyze::RuleLine& rule : coverage.rules) {
            if ((rule.calls > 0) == used && ++count <= kMostNamed) {
                text += (text.empty() ? "" : ", ") + (rule.line.empty() ? std::string(rule.bucket) : safe(rule.line)) +
                        " (line " + std::to_string(rule.source_line) + ")" + (used ? " " + grouped(rule.calls) + " ×" : "");
            }
        }
        return count > kMostNamed ? text + " and " + grouped(count - kMostNamed) + " more" : text;
    };
    const std::string matched = listed(true);
    const std::string never = listed(false);
    return "rules of " + safe(coverage.rules_file) + ": " + (matched.empty() ? "none matched" : matched) +
           (never.empty() || matched.empty() ? "" : "; never matched: " + never);
}

std::string left_out_text(const Model& model) {
    constexpr std::array<std::string_view, 5> kReasons = {"", "older than the attach", "touched by a loss", "unfinished",
                                                          "not decoded"};
    std::string text;
    for (std::size_t i = 1; i < kReasons.size(); ++i) {
        const std::uint64_t count = model.coverage.excluded[i];
        if (count > 0) {
            text += (text.empty() ? noun(count, unit_noun(model)) : ", " + grouped(count)) + " " + std::string(kReasons[i]);
        }
    }
    return "left out: " + (text.empty() ? "no " + unit_noun(model) : text);
}

}  // namespace

std::vector<std::string> trust_items(const Model& model, const Safe& safe) {
    const analyze::Coverage& coverage = model.coverage;
    const std::uint64_t all = coverage.records + coverage.lost;
    std::string lost = "lost: " + grouped(coverage.lost) + " of " + noun(all, "event");
    if (coverage.lost > 0) {
        lost += " (" + percent_short(share_of(coverage.lost, all)) + ")";
    }
    std::vector<std::string> items = {owners_text(coverage), lost, left_out_text(model)};
    if (coverage.payload_captured.value_or(false)) {
        items.emplace_back("the recording holds payload as it was captured, secrets included");
    }
    if (coverage.malformed > 0) {
        items.push_back(noun(coverage.malformed, "malformed record") + " skipped");
    }
    if (coverage.unknown_kinds > 0) {
        items.push_back(noun(coverage.unknown_kinds, "record") + " of a newer version skipped");
    }
    if (!coverage.rules.empty()) {
        items.push_back(rules_text(coverage, safe));
    }
    return items;
}

std::string nothing_found(const analyze::Figures& figures) {
    constexpr double kMuch = 0.2;
    const double unknown = share_of(figures.ledger.cause(attribute::Cause::unattributed), figures.ledger.wall);
    return unknown < kMuch ? "Nothing stands out."
                           : "Nothing stands out in what is known: " + percent_short(unknown) + " of the time is unattributed.";
}

namespace {

void add_unwatched(std::vector<std::string>& items, const analyze::Run& run) {
    if (run.windows.size() > 1) {
        const Duration window = run.watched() / static_cast<Duration::rep>(run.windows.size());
        items.push_back("what happened between the windows, and requests that last longer than one (" + duration(window) + ")");
    }
    if (!run.detached) {
        items.emplace_back("the end of the run");
    }
}

/// Of what was on connections.
void add_gaps(std::vector<std::string>& items, const analyze::Coverage& coverage) {
    if (coverage.lost_sync > 0) {
        items.push_back("payload beyond what was captured: a parser searched for the next message " +
                        grouped(coverage.lost_sync) + " ×");
    }
    if (coverage.arrivals_missed > 0) {
        items.push_back("when " + noun(coverage.arrivals_missed, "piece") + " of answers arrived: taken for when they were read");
    }
    if (coverage.bytes_lost > 0) {
        items.push_back(bytes(static_cast<double>(coverage.bytes_lost)) + " in lost events");
    }
}

}  // namespace

std::vector<std::string> not_seen_items(const Model& model, const Safe& safe) {
    const analyze::Coverage& coverage = model.coverage;
    std::vector<std::string> items;
    std::uint64_t opaque = 0;
    for (const analyze::OpaquePeer& peer : coverage.opaque) {
        opaque += peer.connections;
    }
    if (!coverage.opaque.empty()) {
        const analyze::OpaquePeer& first = coverage.opaque.front();
        Duration time{};
        std::uint64_t bytes_moved = 0;
        for (const analyze::OpaquePeer& peer : coverage.opaque) {
            time += peer.on_path;
            bytes_moved += peer.bytes;
        }
        items.push_back(noun(opaque, "connection") + " not decoded (" + (first.incoming ? "to " : "") +
                        (first.peer.empty() ? "a unix socket without a name" : safe(first.peer)) +
                        (coverage.opaque.size() > 1 ? " and " + std::to_string(coverage.opaque.size() - 1) + " more, " : ", ") +
                        percent_short(share_of(time, model.total.ledger.wall)) + " of the time, " +
                        percent_short(share_of(bytes_moved, coverage.bytes_moved)) + " of the bytes)");
    }
    if (const std::uint64_t uring = coverage.calls[TS_CLASS_IO_URING].calls; uring > 0) {
        items.push_back("io_uring is used (" + noun(uring, "call") + "), what it does is not decoded");
    }
    for (const analyze::MissingProbe& probe : coverage.missing_probes) {
        items.push_back("probe " + safe(probe.name) + " not attached" +
                        (probe.error.empty() ? "" : " (" + safe(probe.error) + ")") +
                        (probe.costs.empty() ? "" : ": " + safe(probe.costs)));
    }
    if (coverage.threads_missed > 0) {
        items.push_back(noun(coverage.threads_missed, "thread") + " for which the kernel had no memory");
    }
    if (coverage.probe_runs_missed > 0) {
        items.push_back("what " + noun(coverage.probe_runs_missed, "probe run") + " would have told that the kernel left out");
    }
    for (const analyze::RuntimeGap& gap : coverage.runtime_gaps) {
        items.push_back("whose calls are whose in " + (gap.processes == 1 ? "1 process" : grouped(gap.processes) + " processes") +
                        " of " + safe(gap.runtime) + (gap.error.empty() ? "" : " (" + safe(gap.error) + ")"));
    }
    if (coverage.engine_untold > Duration{}) {
        items.push_back("SQLite for " + duration(coverage.engine_untold) +
                        ": rows were read faster than they may be told; requests of that time are left out");
    }
    if (const double share = share_of(model.total.ledger.cause(attribute::Cause::unattributed), model.total.ledger.wall);
        share >= 0.05) {
        items.push_back("what " + percent_short(share) + " of the time went into (unattributed)");
    }
    add_gaps(items, coverage);
    if (const auto& background = coverage.evidence[static_cast<std::size_t>(Evidence::none)]; background.exchanges > 0) {
        items.push_back(noun(background.exchanges, "call") + " outside any request");
    }
    add_unwatched(items, model.run);
    if (items.empty()) {
        items.emplace_back("nothing that is known of");
    }
    return items;
}

std::vector<std::string> own_cost_items(const Model& model) {
    const analyze::OwnCost& cost = model.own_cost;
    std::vector<std::string> items = {"throughput cost not measured in this run"};
    const Duration length = model.run.length();
    std::string agent = "agent ";
    agent += cost.cpu && length > Duration{} ? percent_short(share_of(*cost.cpu, length)) + " of a CPU" : "CPU – (not told)";
    if (cost.rss_bytes) {
        agent += ", " + bytes(static_cast<double>(*cost.rss_bytes));
    }
    items.push_back(agent);
    std::uint64_t runs = 0;
    Duration time{};
    for (const analyze::ProgramCost& program : cost.programs) {
        runs += program.runs;
        time += program.time;
    }
    if (runs > 0) {
        std::string kernel = "kernel side " + duration(time / static_cast<Duration::rep>(runs)) + " a probe run";
        if (cost.bpf_measured && *cost.bpf_measured > Duration{}) {
            kernel += ", " + percent_short(share_of(time, *cost.bpf_measured)) + " of a CPU";
            kernel += model.run.windows.size() > 1 ? " while attached" : "";
        }
        items.push_back(kernel);
    } else {
        items.emplace_back("kernel side – (BPF run time not measured)");
    }
    items.push_back(model.run.host.steal ? "host steal " + percent_short(*model.run.host.steal) : "host steal – (not sampled)");
    return items;
}

}  // namespace timesink::report
