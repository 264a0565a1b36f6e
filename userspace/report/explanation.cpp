#include "report/explanation.hpp"

#include <cstdio>

#include "report/safe_text.hpp"

namespace timesink::report {

namespace {

constexpr std::size_t kNameColumns = 48;

/// `unit`: "request" or "job".
std::string because(infer::Reason reason, const std::string& unit) {
    switch (reason) {
        case infer::Reason::request:
            return unit == "job" ? "sent in the turn that took the job" : "sent in the turn that read the request";
        case infer::Reason::reply:
            return "sent when the " + unit + "'s own reply had been read";
        case infer::Reason::kept:
            return "the " + unit + " kept the connection of its last statement";
        case infer::Reason::transaction:
            return "the connection was inside the " + unit + "'s transaction";
        case infer::Reason::deferred:
            return "sent at the end of the turn in which the " + unit + " went on";
        case infer::Reason::waited:
            return "the " + unit + " had waited longest for a connection of this pool";
        case infer::Reason::woke:
            return "sent by a timer or another hidden wake that the " + unit + " was due for";
        case infer::Reason::connected:
            return "the " + unit + " had opened the connection for it";
        case infer::Reason::alone:
            return "no other " + unit + " was in flight on the thread";
        case infer::Reason::unexplained:
            break;
    }
    return "nothing that is known explains who sent it";
}

std::string percent_exactly(double share) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.2f %%", 100 * share);
    return text;
}

std::string milliseconds(Duration span) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.3f ms", static_cast<double>(to_ns(span)) / 1e6);
    return text;
}

/// Evidence that needs no weighing.
std::string because(attribute::Evidence evidence, const std::string& unit) {
    switch (evidence) {
        case attribute::Evidence::thread:
            return "the sending thread served this " + unit + " alone";
        case attribute::Evidence::context:
            return "sent in the context in which the " + unit + " was answered, or a copy of it";
        case attribute::Evidence::goroutine:
            return "sent by the goroutine that served the " + unit + ", or one that it started";
        case attribute::Evidence::propagated:
            return "carries the " + unit + "'s own id";
        default:
            return "a helper thread that the " + unit + "'s thread had woken";
    }
}

}  // namespace

void Explanation::account(const attribute::Account& account) {
    if (account.unit.id == unit_) {
        found_ = true;
        request_ = account.unit;
        owned_ = account.exchanges;
    }
}

void Explanation::stray(const attribute::OwnedExchange& exchange) {
    if (exchange.grounds.likely == unit_ && doubtful_.size() < kMostDoubtful) {
        doubtful_.push_back(exchange);
    }
}

std::string Explanation::line(const attribute::OwnedExchange& owned) const {
    const request::Exchange& exchange = owned.exchange;
    const attribute::Grounds& grounds = owned.grounds;
    const std::string& shown = exchange.statement.empty() ? exchange.operation : exchange.statement;
    std::string text = "  " + milliseconds(exchange.sent - request_.begin) + "  exchange " + std::to_string(number(exchange.id)) +
                       "  " + cut(terminal_safe(shown, false), kNameColumns) + "\n      " +
                       std::string(attribute::name(owned.evidence));
    const bool weighed = grounds.likely != UnitId{};
    if (weighed || owned.evidence == attribute::Evidence::inferred) {
        text += ", margin " + percent_exactly(owned.margin);
    }
    const std::string unit = request_.kind == request::UnitKind::job ? "job" : "request";
    text += ": " + (weighed ? because(grounds.reason, unit) : because(owned.evidence, unit));
    if (weighed && grounds.cause != ExchangeId{}) {
        text += "; the reply to exchange " + std::to_string(number(grounds.cause)) + " had just been read";
    }
    text += '\n';
    if (grounds.runner_up != UnitId{}) {
        text += "      next likeliest: unit " + std::to_string(number(grounds.runner_up)) + ", " +
                percent_exactly(grounds.runner_up_margin) + '\n';
    }
    return text;
}

std::string Explanation::text() const {
    std::string text = "unit " + std::to_string(number(unit_)) + "  " +
                       cut(terminal_safe(request_.method + ' ' + request_.path, false), kNameColumns) + "  " +
                       milliseconds(request_.end - request_.begin) + "\n";
    if (request_.kind == request::UnitKind::background) {
        text += "  Background work: what unit " + std::to_string(number(request_.request)) +
                " went on doing when it had been answered.\n";
    } else if (request_.kind == request::UnitKind::job) {
        text += "  A job of " + cut(terminal_safe(request_.server.address, false), kNameColumns) +
                (request_.request == UnitId{} ? "" : ", added by unit " + std::to_string(number(request_.request))) +
                (request_.added == Instant{} ? "" : "; it waited there for " + milliseconds(request_.begin - request_.added)) +
                ".\n";
    }
    if (owned_.empty()) {
        text += "  No exchange is known to be its.\n";
    }
    for (const attribute::OwnedExchange& owned : owned_) {
        text += line(owned);
    }
    if (!doubtful_.empty()) {
        text += "May be its, too uncertain to be charged to it:\n";
    }
    for (const attribute::OwnedExchange& owned : doubtful_) {
        text += line(owned);
    }
    return text;
}

}  // namespace timesink::report
