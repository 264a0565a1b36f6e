#include "analyze/analysis.hpp"
#include "golden/instants.hpp"
#include "golden/runner.hpp"

namespace {

using namespace timesink;
using attribute::Account;
using attribute::OwnedExchange;

using golden::at;

/// What the unit at the other end did meanwhile.
std::string inside(const OwnedExchange& owned) {
    if (!owned.inside) {
        return {};
    }
    std::string text = " is unit " + std::to_string(number(owned.exchange.callee)) + ":";
    for (std::size_t i = 0; i < attribute::kCauseCount; ++i) {
        if (const Duration time = owned.inside->by_cause[i]; time != Duration{}) {
            text += " " + std::string(name(static_cast<attribute::Cause>(i))) + " " + golden::milliseconds(time);
        }
    }
    return text + " between " + golden::milliseconds(owned.inside->between);
}

std::string describe(const OwnedExchange& owned) {
    const auto& exchange = owned.exchange;
    return "call " + std::to_string(number(exchange.id)) + " " + exchange.protocol + " \"" + exchange.statement + "\" sent " +
           at(exchange.sent) + " " + std::string(name(owned.evidence)) + " on path " + golden::milliseconds(owned.on_path) +
           " hidden " + golden::milliseconds(owned.hidden) + (exchange.complete ? "" : " incomplete") +
           (owned.contradicted ? " contradicted" : "") + (owned.object == 0 ? "" : " object " + std::to_string(owned.object)) +
           inside(owned);
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
        line += unit.caller == ExchangeId{} ? "" : " for call " + std::to_string(number(unit.caller));
        line += " wall " + golden::milliseconds(account.wall());
        if (unit.resources_known) {
            line += " cpu " + golden::milliseconds(unit.cpu) + " run queue " + golden::milliseconds(unit.run_queue);
        }
        lines.push_back(line + (account.hidden == Duration{} ? "" : " hidden " + golden::milliseconds(account.hidden)));
        Duration sum{};
        for (const auto& piece : account.pieces) {
            sum += piece.span.length();
            lines.push_back("  " + at(piece.span.begin) + " " + golden::milliseconds(piece.span.length()) + " " +
                            std::string(name(piece.cause)) +
                            (piece.exchange == ExchangeId{} ? "" : " of call " + std::to_string(number(piece.exchange))));
        }
        if (sum != account.wall()) {
            lines.push_back("  THE PIECES DO NOT SUM: " + golden::milliseconds(sum));
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
