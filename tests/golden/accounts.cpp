#include "analyze/analysis.hpp"
#include "golden/runner.hpp"

namespace {

using namespace timesink;
using attribute::Account;
using attribute::OwnedExchange;

/// Milliseconds since the start of the script, as the scripts count them.
std::string milliseconds(std::int64_t ns) {
    std::string digits = std::to_string(ns < 0 ? -ns : ns);
    digits.insert(0, digits.size() < 7 ? 7 - digits.size() : 0, '0');
    digits.insert(digits.size() - 6, ".");
    return (ns < 0 ? "-" : "") + digits;
}
std::string at(Instant instant) {
    constexpr std::int64_t kScriptBegin = 1'000'000'000;
    return milliseconds(to_ns(instant) - kScriptBegin);
}
std::string length(Duration span) {
    return milliseconds(to_ns(span));
}

std::string describe(const OwnedExchange& owned) {
    const auto& exchange = owned.exchange;
    return "call " + std::to_string(number(exchange.id)) + " " + exchange.protocol + " \"" + exchange.statement + "\" sent " +
           at(exchange.sent) + " " + std::string(name(owned.evidence)) + " on path " + length(owned.on_path) + " hidden " +
           length(owned.hidden) + (exchange.complete ? "" : " incomplete");
}

/// One line a unit, one a piece, one a call.
class Lines final : public attribute::AccountSink {
public:
    void account(const Account& account) override {
        const auto& unit = account.unit;
        std::string line = "unit " + std::to_string(number(unit.id)) + " " + unit.method + " " + unit.route + " " +
                           std::to_string(unit.status) + " from " + at(unit.begin);
        if (unit.exclusion != request::Exclusion::none) {
            lines.push_back(line + " left out");
            return;
        }
        line += " wall " + length(account.wall());
        if (unit.resources_known) {
            line += " cpu " + length(unit.cpu) + " run queue " + length(unit.run_queue);
        }
        lines.push_back(line + (account.hidden == Duration{} ? "" : " hidden " + length(account.hidden)));
        Duration sum{};
        for (const auto& piece : account.pieces) {
            sum += piece.span.length();
            lines.push_back("  " + at(piece.span.begin) + " " + length(piece.span.length()) + " " +
                            std::string(name(piece.cause)) +
                            (piece.exchange == ExchangeId{} ? "" : " of call " + std::to_string(number(piece.exchange))));
        }
        if (sum != account.wall()) {
            lines.push_back("  THE PIECES DO NOT SUM: " + length(sum));
        }
        for (const auto& owned : account.exchanges) {
            lines.push_back("  " + describe(owned));
        }
    }
    void stray(const OwnedExchange& owned) override { lines.push_back("nobody's " + describe(owned)); }

    std::vector<std::string> lines;
};

}  // namespace

/// The kind `accounts`: the account of every unit, piece by piece, and the calls with their owners.
int main(int argc, char** argv) {
    return timesink::golden::run_golden(argc, argv, [](std::span<const std::byte> records) {
        Lines lines;
        analyze::Analysis analysis({}, {}, &lines);
        if (const auto pushed = analysis.push(records); !pushed) {
            lines.lines.push_back("error: " + pushed.error().what);
        }
        const auto model = analysis.finish();
        lines.lines.push_back("in the figures: " + std::to_string(model.total.ledger.units));
        return std::move(lines.lines);
    });
}
