#include "analyze/analysis.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
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

using Models = std::shared_ptr<const std::vector<attribute::RouteModel>>;

/// What was learned later stands for what was learned of the same route before.
Models with(const Models& before, std::vector<attribute::RouteModel> learned) {
    if (before != nullptr) {
        const std::size_t fresh = learned.size();
        for (const attribute::RouteModel& model : *before) {
            const auto end = learned.begin() + static_cast<std::ptrdiff_t>(fresh);
            if (std::none_of(learned.begin(), end, [&](const auto& one) { return one.route == model.route; })) {
                learned.push_back(model);
            }
        }
    }
    return std::make_shared<const std::vector<attribute::RouteModel>>(std::move(learned));
}

/// The layers that know sockets and threads by their numbers, and so last as long as an attach.
struct Layers {
    Layers(attribute::AccountSink& accounts, net::ConnectionSink& summaries, const Options& options, const Models& models,
           request::RouteTable& routes)
        : attribution(accounts, options.trusted, options.user_rules.get()),
          tracker(attribution, routes),
          engines(attribution, tracker),
          connections(tracker, summaries) {
        attribution.given(models);
    }
    void finish(Instant now) {
        connections.finish(now);
        tracker.finish();
        engines.finish();
        attribution.finish();
    }

    attribute::Attribution attribution;
    request::Tracker tracker;
    request::EngineCalls engines;
    net::Connections connections;
};

}  // namespace

/// Hands each event to the layers that it concerns, lower layers last: what a thread did is known before a message that it
/// carried becomes a unit or an exchange.
struct Analysis::Flow final : event::Consumer {
    Flow(const Options& given, request::RoutePatterns patterns, attribute::AccountSink* accounts)
        : options(given),
          routes(std::move(patterns)),
          aggregate(given),
          fork(aggregate, accounts),
          models(given.models),
          layers(std::in_place, fork, aggregate, options, models, routes),
          merge(*this) {}

    void on(const event::Call& call) override {
        layers->attribution.on(call);
        aggregate.calls(call.counts);
        layers->connections.on(call);
    }
    void on(const event::Payload& piece) override { layers->connections.on(piece); }
    void on(const event::OffCpu& off) override { layers->attribution.on(off); }
    void on(const event::Arrival& arrival) override { layers->connections.on(arrival); }
    void on(const event::Socket& socket) override { layers->connections.on(socket); }
    void on(const event::SocketState& state) override { layers->connections.on(state); }
    void on(const event::Retransmit& retransmit) override {
        aggregate.retransmit(retransmit);
        layers->connections.on(retransmit);
    }
    void on(const event::Task& task) override {
        if (task.operation != TS_TASK_FORK && number(task.thread) == number(task.process)) {
            layers->engines.ended(task.process);
        }
        layers->attribution.on(task);
    }
    void on(const event::Lineage& lineage) override { layers->attribution.on(lineage); }
    void on(const event::LoopPhase& phase) override { layers->attribution.on(phase); }
    void on(const event::Plaintext& plain) override { layers->connections.on(plain); }
    void on(const event::EngineName& name) override { layers->engines.on(name); }
    void on(const event::EngineCall& call) override { layers->engines.on(call); }
    void on(const event::Loss& loss) override {
        layers->engines.lost();
        layers->attribution.on(loss);
    }
    void on(const event::Fact& fact) override {
        aggregate.fact(fact);
        if (fact.name == "process") {
            layers->attribution.on_process(process_member(fact.body, "pid"), process_member(fact.body, "parent"));
        }
        if (fact.name == "process") {
            tell_program(fact.body);
        }
        if (fact.name == "process" || fact.name == "runtime") {
            tell_runtime(fact.body);
        }
        if (fact.name == "sqlite" && fact.body.contains("steps")) {
            const ProcessId process = process_member(fact.body, "pid");
            layers->engines.paused(process);
            layers->attribution.untold(process, fact.body["steps"] == "paused");
        }
        if (fact.name == "attached") {
            layers->connections.attached();
            layers->tracker.attached(fact.at);
        }
    }
    void advance(Instant at) override {
        now = at;
        layers->attribution.advance(at);
    }
    void detached() override {
        layers->finish(now);
        aggregate.detached();
        models = with(models, layers->attribution.models());
        const UnitId last_unit = layers->attribution.last_unit();
        const ExchangeId last_exchange = layers->tracker.last_exchange();
        layers.emplace(fork, aggregate, options, models, routes);
        layers->attribution.taken(last_unit);
        layers->tracker.taken(last_exchange);
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
            layers->attribution.runs_program(process, std::move(program));
        }
    }

    void tell_runtime(const nlohmann::json& body) {
        const auto pid = body.find("pid");
        const auto runtime = body.find("runtime");
        if (pid != body.end() && pid->is_number_unsigned() && pid->get<std::uint64_t>() <= UINT32_MAX && runtime != body.end() &&
            runtime->is_string()) {
            const ProcessId process{pid->get<std::uint32_t>()};
            layers->attribution.runs(process, runtime->get_ref<const std::string&>());
            if (const auto phases = body.find("phases"); phases != body.end() && phases->is_array()) {
                const auto told = [&](const char* name) {
                    return std::find(phases->begin(), phases->end(), name) != phases->end();
                };
                layers->attribution.tells_phases(process, told("timers"), told("immediates"));
            }
        }
    }

    Options options;
    request::RouteTable routes;
    Aggregate aggregate;
    Fork fork;
    Models models;  ///< of routes, for the next attach
    std::optional<Layers> layers;
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
    return *with(flow_->models, flow_->layers->attribution.models());
}

Model Analysis::finish() {
    flow_->merge.finish();
    flow_->layers->finish(flow_->now);
    flow_->aggregate.statistics(flow_->merge.statistics());
    flow_->aggregate.merge_routes(
        [this](std::string_view method, std::string_view route) { return flow_->routes.final_route(method, route); });
    return flow_->aggregate.finish();
}

}  // namespace timesink::analyze
