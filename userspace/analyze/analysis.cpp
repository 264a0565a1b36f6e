#include "analyze/analysis.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "attribute/attribution.hpp"
#include "event/merge.hpp"
#include "net/connections.hpp"
#include "request/engine_calls.hpp"
#include "request/tracker.hpp"

namespace timesink::analyze {

namespace {

/// Accounts go to the aggregate and, when exported, to the writer as well.
class Fork final : public attribute::AccountSink {
public:
    Fork(attribute::AccountSink& first, attribute::AccountSink* second) : first_(first), second_(second) {}
    void account(const attribute::Account& account) override {
        first_.account(account);
        if (second_ != nullptr) {
            second_->account(account);
        }
    }
    void stray(const attribute::OwnedExchange& exchange) override {
        first_.stray(exchange);
        if (second_ != nullptr) {
            second_->stray(exchange);
        }
    }

private:
    attribute::AccountSink& first_;
    attribute::AccountSink* second_;
};

/// Zero: not told.
ProcessId process_member(const nlohmann::json& body, const char* name) {
    const auto found = body.find(name);
    const bool told = found != body.end() && found->is_number_unsigned() && found->get<std::uint64_t>() <= UINT32_MAX;
    return told ? ProcessId{found->get<std::uint32_t>()} : ProcessId{};
}

}  // namespace

/// Hands each event to the layers that it concerns, lower layers last: what a thread did is known before a message that it
/// carried becomes a unit or an exchange.
struct Analysis::Flow final : event::Consumer {
    Flow(const Options& options, request::RoutePatterns patterns, attribute::AccountSink* accounts)
        : routes(std::move(patterns)),
          aggregate(options),
          fork(aggregate, accounts),
          user_rules(options.user_rules),
          attribution(fork, options.trusted, user_rules.get()),
          tracker(attribution, routes),
          engines(attribution, tracker),
          connections(tracker, aggregate),
          merge(*this) {
        attribution.given(options.models);
    }

    void on(const event::Call& call) override {
        attribution.on(call);
        aggregate.calls(call.counts);
        connections.on(call);
    }
    void on(const event::Payload& piece) override { connections.on(piece); }
    void on(const event::OffCpu& off) override { attribution.on(off); }
    void on(const event::Arrival& arrival) override { connections.on(arrival); }
    void on(const event::Socket& socket) override { connections.on(socket); }
    void on(const event::SocketState& state) override { connections.on(state); }
    void on(const event::Retransmit& retransmit) override {
        aggregate.retransmit(retransmit);
        connections.on(retransmit);
    }
    void on(const event::Task& task) override {
        if (task.operation != TS_TASK_FORK && number(task.thread) == number(task.process)) {
            engines.ended(task.process);
        }
        attribution.on(task);
    }
    void on(const event::Lineage& lineage) override { attribution.on(lineage); }
    void on(const event::LoopPhase& phase) override { attribution.on(phase); }
    void on(const event::Plaintext& plain) override { connections.on(plain); }
    void on(const event::EngineName& name) override { engines.on(name); }
    void on(const event::EngineCall& call) override { engines.on(call); }
    void on(const event::Loss& loss) override {
        engines.lost();
        attribution.on(loss);
    }
    void on(const event::Fact& fact) override {
        aggregate.fact(fact);
        if (fact.name == "process") {
            attribution.on_process(process_member(fact.body, "pid"), process_member(fact.body, "parent"));
        }
        if (fact.name == "process") {
            tell_program(fact.body);
        }
        if (fact.name == "process" || fact.name == "runtime") {
            tell_runtime(fact.body);
        }
        if (fact.name == "sqlite" && fact.body.contains("steps")) {
            const ProcessId process = process_member(fact.body, "pid");
            engines.paused(process);
            attribution.untold(process, fact.body["steps"] == "paused");
        }
        if (fact.name == "attached") {
            connections.attached();
            tracker.attached(fact.at);
        }
    }
    void advance(Instant at) override {
        now = at;
        attribution.advance(at);
    }

    /// The workers of a cluster have one command line.
    void tell_program(const nlohmann::json& body) {
        const auto words = body.find("command_line");
        if (words == body.end() || !words->is_array()) {
            return;
        }
        std::string program;
        for (const auto& word : *words) {
            program += word.is_string() ? word.get<std::string>() + ' ' : "";
        }
        if (const ProcessId process = process_member(body, "pid"); process != ProcessId{} && !program.empty()) {
            attribution.runs_program(process, std::move(program));
        }
    }

    void tell_runtime(const nlohmann::json& body) {
        const auto pid = body.find("pid");
        const auto runtime = body.find("runtime");
        if (pid != body.end() && pid->is_number_unsigned() && pid->get<std::uint64_t>() <= UINT32_MAX && runtime != body.end() &&
            runtime->is_string()) {
            const ProcessId process{pid->get<std::uint32_t>()};
            attribution.runs(process, runtime->get_ref<const std::string&>());
            if (const auto phases = body.find("phases"); phases != body.end() && phases->is_array()) {
                const auto told = [&](const char* name) {
                    return std::find(phases->begin(), phases->end(), name) != phases->end();
                };
                attribution.tells_phases(process, told("timers"), told("immediates"));
            }
        }
    }

    request::RouteTable routes;
    Aggregate aggregate;
    Fork fork;
    std::shared_ptr<const rules::RuleSet> user_rules;
    attribute::Attribution attribution;
    request::Tracker tracker;
    request::EngineCalls engines;
    net::Connections connections;
    event::Merge merge;
    Instant now{};
};

Analysis::Analysis(const Options& options, request::RoutePatterns routes, attribute::AccountSink* accounts)
    : flow_(std::make_unique<Flow>(options, std::move(routes), accounts)) {}
Analysis::~Analysis() = default;

Status Analysis::push(std::span<const std::byte> records) {
    return flow_->merge.push(records);
}

std::vector<attribute::RouteModel> Analysis::models() const {
    return flow_->attribution.models();
}

Model Analysis::finish() {
    flow_->merge.finish();
    flow_->connections.finish(flow_->now);
    flow_->tracker.finish();
    flow_->engines.finish();
    flow_->attribution.finish();
    flow_->aggregate.statistics(flow_->merge.statistics());
    flow_->aggregate.merge_routes(
        [this](std::string_view method, std::string_view route) { return flow_->routes.final_route(method, route); });
    return flow_->aggregate.finish();
}

}  // namespace timesink::analyze
