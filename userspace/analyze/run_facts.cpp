#include "analyze/run_facts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace timesink::analyze {

namespace {

using nlohmann::json;

/// More probes or programs than this are not ours.
constexpr std::size_t kMaximumListed = 256;
/// A process that was not sampled for so long is gone; its memory no longer counts.
constexpr Duration kSampleAge = std::chrono::seconds(3);

std::optional<std::uint64_t> number_of(const json& body, const char* member) {
    if (!body.is_object()) {
        return {};
    }
    const auto found = body.find(member);
    if (found == body.end() || !found->is_number_integer()) {
        return {};
    }
    if (!found->is_number_unsigned() && found->get<std::int64_t>() < 0) {
        return {};
    }
    return found->get<std::uint64_t>();
}

std::string text_of(const json& body, const char* member) {
    if (!body.is_object()) {
        return {};
    }
    const auto found = body.find(member);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<Duration> duration_of(const json& body, const char* member) {
    const auto ns = number_of(body, member);
    return ns ? std::optional(Duration(static_cast<Duration::rep>(*ns))) : std::nullopt;
}

std::string joined_of(const json& body, const char* member) {
    std::string joined;
    if (!body.is_object() || !body.contains(member)) {
        return joined;
    }
    for (const json& part : body[member]) {
        if (part.is_string()) {
            joined += (joined.empty() ? "" : " ") + part.get_ref<const std::string&>();
        }
    }
    return joined;
}

std::uint64_t difference(std::uint64_t later, std::uint64_t earlier) {
    return later > earlier ? later - earlier : 0;
}

}  // namespace

void RunFacts::seen(Instant at) {
    if (!first_seen_ || at < *first_seen_) {
        first_seen_ = at;
    }
    last_seen_ = std::max(last_seen_, at);
}

void RunFacts::served(ProcessId process_id, std::uint16_t port) {
    if (Process* known = process(number(process_id))) {
        ++known->line.units;
    }
    if (port != 0) {
        ++ports_[port];
    }
}

RunFacts::Process* RunFacts::process(std::uint64_t pid) {
    const auto found = processes_.find(pid);
    if (found != processes_.end()) {
        return &found->second;
    }
    if (processes_.size() >= kMaximumProcesses) {
        ++run_.processes_omitted;
        return nullptr;
    }
    Process& made = processes_[pid];
    made.line.pid = static_cast<std::uint32_t>(pid);
    return &made;
}

void RunFacts::on(const event::Fact& fact) {
    const json& body = fact.body;
    if (fact.name == "host") {
        run_.host.kernel = text_of(body, "kernel");
        run_.host.machine = text_of(body, "machine");
        run_.host.cpus = number_of(body, "cpus");
        run_.host.memory_bytes = number_of(body, "memory_bytes");
        if (body.is_object() && body.contains("hypervisor") && body["hypervisor"].is_boolean()) {
            run_.host.hypervisor = body["hypervisor"].get<bool>();
        }
        if (body.is_object() && body.contains("realtime_offset_ns") && body["realtime_offset_ns"].is_number_integer()) {
            run_.realtime_offset_ns = body["realtime_offset_ns"].get<std::int64_t>();
        }
    } else if (fact.name == "timesink") {
        run_.version = text_of(body, "version");
    } else if (fact.name == "target") {
        run_.target_by = text_of(body, "by");
        run_.target_value = text_of(body, "value");
        if (const auto value = number_of(body, "value")) {
            run_.target_value = std::to_string(*value);
        }
    } else if (fact.name == "process") {
        on_process(fact);
    } else if (fact.name == "sample") {
        on_sample(fact);
    } else if (fact.name == "host_sample") {
        on_host_sample(fact);
    } else if (fact.name == "probe") {
        on_probe(body);
    } else if (fact.name == "runtime") {
        on_runtime(body);
    } else if (fact.name == "payload") {
        if (body.is_object() && body.contains("captured") && body["captured"].is_boolean()) {
            payload_captured_ = body["captured"].get<bool>();
        }
    } else if (fact.name == "sqlite") {
        on_sqlite(fact);
    } else if (fact.name == "attached") {
        on_attached(fact.at);
    } else if (fact.name == "detached") {
        on_detached(fact.at);
    } else if (fact.name == "drops") {
        dropped_ += number_of(body, "count").value_or(0);
    } else if (fact.name == "own_cost") {
        on_own_cost(body);
    }
}

void RunFacts::on_attached(Instant at) {
    timeline_.start(at);
    detached_.reset();
    run_.windows.push_back({.began = at, .ended = at});
}

/// What happens until the next attach is nobody's.
void RunFacts::on_detached(Instant at) {
    if (!run_.windows.empty() && !detached_) {
        run_.windows.back().ended = std::max(at, run_.windows.back().began);
    }
    detached_ = at;
    last_host_sample_.reset();
    for (auto& [pid, each] : processes_) {
        each.sampled_cpu.reset();
    }
    for (const auto& [pid, since] : engine_paused_) {
        engine_untold_ += std::max(Duration{}, at - since);
    }
    engine_paused_.clear();
}

void RunFacts::on_process(const event::Fact& fact) {
    const auto pid = number_of(fact.body, "pid");
    Process* known = pid ? process(*pid) : nullptr;
    if (known == nullptr) {
        return;
    }
    ProcessLine& line = known->line;
    known->described = true;
    known->started = number_of(fact.body, "start_ns").value_or(0);
    line.parent = static_cast<std::uint32_t>(number_of(fact.body, "parent").value_or(0));
    line.comm = text_of(fact.body, "comm");
    line.command_line = joined_of(fact.body, "command_line");
    line.runtime = text_of(fact.body, "runtime");
    line.runtime_version = text_of(fact.body, "runtime_version");
}

void RunFacts::on_sample(const event::Fact& fact) {
    const auto pid = number_of(fact.body, "pid");
    Process* known = pid ? process(*pid) : nullptr;
    if (known == nullptr) {
        return;
    }
    known->sampled = fact.at;
    if (const auto cpu = number_of(fact.body, "cpu_ns")) {
        const std::uint64_t since = difference(*cpu, known->sampled_cpu.value_or(*cpu));
        known->line.cpu = known->line.cpu.value_or(Duration{}) + Duration(static_cast<Duration::rep>(since));
        known->sampled_cpu = cpu;
    }
    if (const auto rss = number_of(fact.body, "rss_bytes")) {
        known->rss = *rss;
        known->line.rss_max_bytes = std::max(known->line.rss_max_bytes.value_or(0), *rss);
        std::uint64_t sum = 0;
        for (const auto& [id, each] : processes_) {
            sum += fact.at - each.sampled <= kSampleAge ? each.rss : 0;
        }
        timeline_.rss(fact.at, sum);
    }
}

void RunFacts::on_host_sample(const event::Fact& fact) {
    const auto told = [&](const char* name) { return number_of(fact.body, name).value_or(0); };
    HostSample sample{.at = fact.at, .idle = told("idle_ns") + told("iowait_ns"), .steal = told("steal_ns")};
    sample.total = told("user_ns") + told("system_ns") + sample.idle + sample.steal;
    if (last_host_sample_) {
        const std::uint64_t stolen = difference(sample.steal, last_host_sample_->steal);
        timeline_.steal(last_host_sample_->at, fact.at, Duration(static_cast<Duration::rep>(stolen)));
        host_.idle += difference(sample.idle, last_host_sample_->idle);
        host_.steal += stolen;
        host_.total += difference(sample.total, last_host_sample_->total);
    }
    last_host_sample_ = sample;
    if (const auto runnable = number_of(fact.body, "runnable")) {
        runnable_sum_ += static_cast<double>(*runnable);
        ++runnable_samples_;
    }
}

void RunFacts::on_probe(const json& body) {
    const bool missing = body.is_object() && body.contains("attached") && body["attached"] == false;
    if (!missing || missing_probes_.size() >= kMaximumListed) {
        return;
    }
    MissingProbe probe{text_of(body, "name"), text_of(body, "error"), text_of(body, "costs")};
    if (std::none_of(missing_probes_.begin(), missing_probes_.end(), [&](const auto& one) { return one.name == probe.name; })) {
        missing_probes_.push_back(std::move(probe));
    }
}

void RunFacts::on_runtime(const json& body) {
    const std::string error = text_of(body, "error");
    if (error.empty()) {
        return;
    }
    const std::string version = text_of(body, "version");
    const std::string runtime = text_of(body, "runtime") + (version.empty() ? "" : " " + version);
    auto gap = std::find_if(runtime_gaps_.begin(), runtime_gaps_.end(),
                            [&](const RuntimeGap& one) { return one.runtime == runtime && one.error == error; });
    if (gap == runtime_gaps_.end()) {
        if (runtime_gaps_.size() >= kMaximumListed) {
            return;
        }
        gap = runtime_gaps_.insert(gap, {runtime, error, 0});
    }
    // Each attach says it anew.
    const auto place = static_cast<std::size_t>(gap - runtime_gaps_.begin());
    const auto pid = number_of(body, "pid");
    if (!pid || counted_gaps_.size() >= kMaximumProcesses || counted_gaps_.emplace(place, *pid).second) {
        ++gap->processes;
    }
}

/// A process that reads rows faster than its probes may cost goes untold for a while.
void RunFacts::on_sqlite(const event::Fact& fact) {
    const auto pid = number_of(fact.body, "pid");
    const std::string steps = text_of(fact.body, "steps");
    if (!pid || steps.empty()) {
        return;
    }
    if (auto since = engine_paused_.extract(*pid)) {
        engine_untold_ += fact.at - since.mapped();
    }
    if (steps == "paused" && engine_paused_.size() < kMaximumListed) {
        engine_paused_[*pid] = fact.at;
    }
}

/// Each attach tells what it cost since the one before it was over.
void RunFacts::on_own_cost(const json& body) {
    const auto add = [](auto& sum, const auto& more) {
        if (more) {
            sum = sum ? *sum + *more : *more;
        }
    };
    add(own_cost_.cpu, duration_of(body, "cpu_ns"));
    own_cost_.rss_bytes = std::max(own_cost_.rss_bytes, number_of(body, "rss_bytes"));
    add(own_cost_.events, number_of(body, "events"));
    add(own_cost_.bytes, number_of(body, "bytes"));
    add(own_cost_.bpf_measured, duration_of(body, "bpf_measured_ns"));
    threads_missed_ += number_of(body, "threads_missed").value_or(0);
    probe_runs_missed_ += number_of(body, "probe_runs_missed").value_or(0);
    if (!body.is_object() || !body.contains("bpf")) {
        return;
    }
    for (const json& told : body["bpf"]) {
        const std::string name = text_of(told, "program");
        auto program = std::find_if(own_cost_.programs.begin(), own_cost_.programs.end(),
                                    [&](const ProgramCost& one) { return one.program == name; });
        if (program == own_cost_.programs.end()) {
            if (own_cost_.programs.size() >= kMaximumListed) {
                break;
            }
            program = own_cost_.programs.insert(program, {name, 0, {}});
        }
        program->runs += number_of(told, "runs").value_or(0);
        program->time += duration_of(told, "ns").value_or(Duration{});
    }
    std::sort(own_cost_.programs.begin(), own_cost_.programs.end(), [](const ProgramCost& a, const ProgramCost& b) {
        return a.time != b.time ? a.time > b.time : a.program < b.program;
    });
}

void RunFacts::finish_host(Host& host) const {
    if (host_.total > 0) {
        const auto total = static_cast<double>(host_.total);
        host.busy = 1 - static_cast<double>(host_.idle) / total;
        host.steal = static_cast<double>(host_.steal) / total;
    }
    if (runnable_samples_ > 0) {
        host.runnable = runnable_sum_ / static_cast<double>(runnable_samples_);
    }
}

void RunFacts::finish_processes(Run& run) {
    // The root is the oldest process whose parent is not a target itself.
    std::vector<const Process*> order;
    for (const auto& [pid, each] : processes_) {
        order.push_back(&each);
    }
    const auto rank = [&](const Process* each) {
        const bool child = processes_.count(each->line.parent) > 0;
        return std::make_tuple(!each->described, child, each->started, each->line.pid);
    };
    const auto root =
        std::min_element(order.begin(), order.end(), [&](const Process* a, const Process* b) { return rank(a) < rank(b); });
    if (root != order.end()) {
        std::rotate(order.begin(), root, root + 1);
    }
    for (const Process* each : order) {
        run.processes.push_back(each->line);
    }
}

void RunFacts::finish(Model& model) {
    model.run = run_;
    finish_host(model.run.host);
    finish_processes(model.run);
    std::vector<std::pair<std::uint64_t, std::uint16_t>> ports;
    for (const auto& [port, units] : ports_) {
        ports.emplace_back(units, port);
    }
    std::sort(ports.begin(), ports.end(),
              [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    for (const auto& [units, port] : ports) {
        model.run.ports.push_back(port);
    }
    std::vector<Window>& windows = model.run.windows;
    model.run.began = windows.empty() ? first_seen_.value_or(Instant{}) : windows.front().began;
    model.run.ended = std::max(detached_.value_or(last_seen_), model.run.began);
    model.run.detached = detached_.has_value();
    if (windows.empty()) {
        windows.push_back({.began = model.run.began, .ended = model.run.ended});
    } else if (!detached_) {
        windows.back().ended = std::max(model.run.ended, windows.back().began);
    }
    model.coverage.lost = std::max(model.coverage.lost, dropped_);
    model.coverage.missing_probes = missing_probes_;
    model.coverage.runtime_gaps = runtime_gaps_;
    model.coverage.payload_captured = payload_captured_;
    for (const auto& [pid, since] : engine_paused_) {
        engine_untold_ += std::max(Duration{}, model.run.ended - since);
    }
    engine_paused_.clear();
    model.coverage.engine_untold = engine_untold_;
    model.coverage.threads_missed = threads_missed_;
    model.coverage.probe_runs_missed = probe_runs_missed_;
    model.own_cost = own_cost_;
}

}  // namespace timesink::analyze
