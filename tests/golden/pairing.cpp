#include "event/merge.hpp"
#include "golden/instants.hpp"
#include "golden/runner.hpp"
#include "net/connections.hpp"
#include "request/engine_calls.hpp"
#include "request/tracker.hpp"

namespace {

using namespace timesink;
using golden::at;

/// What the tracker tells, one line a call of its listener.
class Told final : public request::Listener, public net::ConnectionSink {
public:
    void began(const request::Unit& unit) override {
        lines.push_back("unit " + std::to_string(number(unit.id)) + " began " + at(unit.begin) + " " + unit.method + " " +
                        unit.route + " read " + at(unit.read_begin));
    }
    void ended(request::Unit&& unit) override {
        lines.push_back("unit " + std::to_string(number(unit.id)) + " ended " + (unit.complete ? at(unit.end) : "unfinished") +
                        " " + std::to_string(unit.status) + " first response " +
                        (unit.first_response == Instant{} ? "never" : at(unit.first_response)) + " bytes " +
                        std::to_string(unit.bytes_in) + "/" + std::to_string(unit.bytes_out) + because(unit.error));
    }
    void sent(const request::Exchange& exchange) override {
        lines.push_back("call " + std::to_string(number(exchange.id)) + " sent " + at(exchange.sent) + " " + exchange.protocol +
                        " \"" + exchange.statement + "\"");
    }
    void answered(request::Exchange&& exchange) override {
        lines.push_back(
            "call " + std::to_string(number(exchange.id)) + " " +
            (exchange.complete ? "answered arrived " + at(exchange.arrived) + " read " + at(exchange.read_end) : "unfinished") +
            " \"" + exchange.statement + "\" bytes " + std::to_string(exchange.bytes_out) + "/" +
            std::to_string(exchange.bytes_in) + because(exchange.error));
    }
    void answering(const request::Unit&) override {}
    void lost(ProcessId, ThreadId thread) override { lines.push_back("lost on thread " + std::to_string(number(thread))); }
    void connection(const net::ConnectionSummary&) override {}

    std::vector<std::string> lines;

private:
    static std::string because(const std::string& error) { return error.empty() ? "" : " error " + error; }
};

/// Records as far as the tracker: neither owners nor accounts.
struct Flow final : event::Consumer {
    void on(const event::Call& call) override { connections.on(call); }
    void on(const event::Payload& piece) override { connections.on(piece); }
    void on(const event::OffCpu&) override {}
    void on(const event::Arrival& arrival) override { connections.on(arrival); }
    void on(const event::Socket& socket) override { connections.on(socket); }
    void on(const event::SocketState& state) override { connections.on(state); }
    void on(const event::Retransmit& retransmit) override { connections.on(retransmit); }
    void on(const event::Task&) override {}
    void on(const event::Loss&) override {}
    void on(const event::Lineage&) override {}
    void on(const event::LoopPhase&) override {}
    void on(const event::Plaintext& plain) override { connections.on(plain); }
    void on(const event::EngineName& name) override { engines.on(name); }
    void on(const event::EngineCall& call) override { engines.on(call); }
    void on(const event::Fact& fact) override {
        if (fact.name == "attached") {
            connections.attached();
            tracker.attached(fact.at);
        }
    }
    void advance(Instant to) override { now = to; }

    Told told;
    request::RouteTable routes{{}};
    request::Tracker tracker{told, routes};
    request::EngineCalls engines{told, tracker};
    net::Connections connections{tracker, told};
    Instant now{};
};

}  // namespace

/// The kind `pairing`: units and exchanges as the tracker makes them of messages: which response is whose.
int main(int argc, char** argv) {
    return timesink::golden::run_golden(argc, argv, [](std::span<const std::byte> records) {
        Flow flow;
        event::Merge merge(flow);
        if (const auto pushed = merge.push(records); !pushed) {
            flow.told.lines.push_back("error: " + pushed.error().what);
        }
        merge.finish();
        flow.connections.finish(flow.now);
        flow.tracker.finish();
        return std::move(flow.told.lines);
    });
}
