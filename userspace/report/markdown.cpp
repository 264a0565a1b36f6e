#include "report/markdown.hpp"

#include <algorithm>

#include "analyze/call_name.hpp"
#include "report/account_tree.hpp"
#include "report/background_section.hpp"
#include "report/numbers.hpp"
#include "report/safe_text.hpp"
#include "report/text.hpp"
#include "report/unit_tree.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

using analyze::CallLine;
using analyze::Figures;
using analyze::Model;
using analyze::RouteLine;
using attribute::Bucket;

constexpr std::size_t kMostRoutes = 50;
constexpr std::size_t kMostCalls = 50;
constexpr std::size_t kMostSteps = 500;

Safe safe() {
    return [](std::string_view text) { return markdown_safe(text); };
}

std::string joined(const std::vector<std::string>& items, std::string_view separator) {
    std::string text;
    for (const std::string& item : items) {
        text += (text.empty() ? "" : std::string(separator)) + item;
    }
    return text;
}

void row(std::string& out, const std::vector<std::string>& cells) {
    out += "|";
    for (const std::string& cell : cells) {
        out += " " + cell + " |";
    }
    out += "\n";
}

/// `left`: how many of the first columns are text.
void head(std::string& out, const std::vector<std::string>& titles, std::size_t left) {
    row(out, titles);
    out += "|";
    for (std::size_t i = 0; i < titles.size(); ++i) {
        out += i < left ? "---|" : "--:|";
    }
    out += "\n";
}

std::string share_cell(Duration part, Duration whole) {
    return whole > Duration{} ? percent(share_of(part, whole)) : std::string(kNotMeasured);
}

void account(std::string& out, const Model& model, const Figures& figures) {
    const auto units = static_cast<double>(figures.ledger.units);
    const double mean = static_cast<double>(figures.ledger.wall.count()) / units;
    const TimeScale scale = TimeScale::of(mean);
    out += "## Where the time went\n\n" + scale.fixed(mean) + " " + std::string(scale.unit) + " a " + unit_noun(model) +
           " · p50 " + duration(figures.latency.p50) + " · p95 " + duration(figures.latency.p95) + " · p99 " +
           duration(figures.latency.p99) + "\n\n";
    head(out, {"", "what", std::string(scale.unit) + " a " + unit_noun(model), "share"}, 2);
    for (const TreeRow& line : account_rows(model, figures, safe())) {
        std::string name = line.depth == 0 ? "**" + line.name + "**" : line.name;
        for (int depth = 0; depth < line.depth; ++depth) {
            name.insert(0, "&emsp;");
        }
        const std::string note = line.note + (line.tail.empty() ? "" : (line.note.empty() ? "" : " · ") + line.tail);
        row(out, {name, note, scale.fixed(static_cast<double>(line.time.count()) / units),
                  share_cell(line.time, figures.ledger.wall)});
    }
    if (figures.ledger.hidden > Duration{}) {
        out += "\nBeside it: " + duration(figures.ledger.hidden / static_cast<Duration::rep>(figures.ledger.units)) +
               " of calls hidden behind others that ran at the same time.\n";
    }
    if (figures.accept_wait.count > 0) {
        out += "\nBeside it: " + noun(figures.accept_wait.count, "new connection") + " accepted after " +
               duration(figures.accept_wait.mean()) + " (p99 " + duration(figures.accept_wait.p99) + ").\n";
    }
    if (figures.queue_wait.count > 0) {
        out += "\nBeside it: " + queue_wait_text(figures.queue_wait) + ".\n";
    }
    if (const std::string nobodys = &figures == &model.total ? nobodys_text(model) : ""; !nobodys.empty()) {
        out += "\nBeside it: " + nobodys + ".\n";
    }
    out += "\n";
}

void findings(std::string& out, const Model& model, const Figures& figures, const RouteLine* only) {
    out += "## What to do first\n\n";
    constexpr std::size_t kSubject = 200;
    std::size_t rank = 0;
    std::string table;
    for (const analyze::Finding& finding : model.findings) {
        if (only == nullptr || (finding.method == only->method && finding.route == only->route)) {
            row(table, {std::to_string(++rank), sentence(finding, safe(), kSubject), gain_text(finding, figures.ledger),
                        std::string(name(finding.sureness))});
        }
    }
    if (rank == 0) {
        out += nothing_found(figures) + "\n\n";
        return;
    }
    head(out, {"", "finding", "gain a " + unit_noun(model), "sureness"}, 2);
    out += table + "\n";
}

void routes(std::string& out, const Model& model) {
    const double seconds = static_cast<double>(model.run.watched().count()) / 1e9;
    out += "## Routes\n\n";
    head(out,
         {"route", unit_noun(model) + "s", "/s", "mean", "p95", "p99", "errors", "db", "provider", "transfer", "overhead",
          "statements"},
         1);
    for (std::size_t i = 0; i < std::min(model.routes.size(), kMostRoutes); ++i) {
        const Figures& f = model.routes[i].figures;
        std::vector<std::string> cells = {
            (model.services.empty() || model.routes[i].other ? "" : safe()(model.services[model.routes[i].service].name) + " ") +
                route_title(model.routes[i], model.routes_folded, safe()),
            grouped(f.ledger.units),
            seconds > 0 ? three_digits(static_cast<double>(f.ledger.units) / seconds) : std::string(kNotMeasured),
            duration(f.latency.mean()),
            duration(f.latency.p95),
            duration(f.latency.p99),
            percent(share_of(f.failed(), f.ledger.units))};
        for (std::size_t bucket = 0; bucket < attribute::kBucketCount; ++bucket) {
            cells.push_back(share_cell(f.ledger.bucket(static_cast<Bucket>(bucket)), f.ledger.wall));
        }
        cells.push_back(fixed(share_of(f.statements, f.ledger.units), 1));
        row(out, cells);
    }
    if (model.routes.size() > kMostRoutes) {
        out += "\nand " + noun(model.routes.size() - kMostRoutes, "more line") + "\n";
    }
    out += "\n";
}

void calls(std::string& out, const Figures& figures, const std::string& unit) {
    out += "## Calls\n\n";
    head(out, {"call", "protocol", "× a " + unit, "on path a " + unit, "share", "a call", "longest", "errors"}, 2);
    const auto units = static_cast<Duration::rep>(figures.ledger.units);
    for (std::size_t i = 0; i < std::min(figures.calls.size(), kMostCalls); ++i) {
        const CallLine& call = figures.calls[i];
        row(out, {call.other ? "other (" + noun(figures.calls_folded, "shape") + ")"
                             : markdown_safe(analyze::call_name(call)) + (call.housekeeping ? " (driver)" : ""),
                  markdown_safe(call.protocol), three_digits(share_of(call.count, figures.ledger.units)),
                  duration(call.on_path / units), share_cell(call.on_path, figures.ledger.wall), duration(call.duration.mean()),
                  duration(call.duration.max), grouped(call.errors)});
    }
    out += "\n";
}

void unit(std::string& out, const analyze::Exemplar& exemplar) {
    const attribute::Account& account = exemplar.account;
    out += "### " + markdown_safe(account.unit.method) + " " + markdown_safe(account.unit.path) + " · " +
           duration(account.wall()) + " · unit " + std::to_string(number(account.unit.id)) + "\n\n";
    head(out, {"what", "evidence", "start", "length", "counts", "bytes"}, 2);
    std::size_t written = 0;
    const std::vector<UnitStep> all = steps(account);
    for (const UnitStep& step : all) {
        if (written++ == kMostSteps) {
            break;
        }
        std::string what;
        if (step.call != nullptr) {
            const request::Exchange& exchange = step.call->exchange;
            what = markdown_safe(exchange.host + (exchange.host.empty() ? "" : " ") +
                                 analyze::call_name(exchange.operation, exchange.statement)) +
                   (step.hidden() ? " (hidden)" : "");
        } else {
            for (const auto& [cause, time] : step.causes) {
                what += (what.empty() ? "" : " · ") + std::string(title(cause)) + " " + duration(time);
            }
        }
        row(out, {what, step.call == nullptr ? "" : std::string(attribute::name(step.call->evidence)),
                  "+" + duration(step.begin - account.unit.begin), duration(step.length),
                  step.hidden() ? std::string(kNotMeasured) : duration(step.on_path),
                  step.call == nullptr ? "" : bytes(static_cast<double>(step.call->exchange.bytes_in))});
    }
    const std::uint64_t omitted = exemplar.exchanges_omitted + (all.size() > kMostSteps ? all.size() - kMostSteps : 0);
    out += omitted > 0 ? "\nand " + noun(omitted, "more step") + "\n\n" : "\n";
}

}  // namespace

Result<std::string> render_markdown(const Model& model, const MarkdownOptions& options) {
    const RouteLine* only = nullptr;
    if (!options.route.empty()) {
        const Result<const analyze::ServiceLine*> service = find_service(model, options.service);
        if (!service) {
            return service.error();
        }
        const Result<const RouteLine*> found = find_route(model, options.route, *service);
        if (!found) {
            return found.error();
        }
        only = *found;
    }
    const Figures& figures = only == nullptr ? model.total : only->figures;
    std::string out = "# timesink\n\n" + joined(header_items(model, figures, safe()), " · ") + "\n\n";
    if (only != nullptr) {
        out += "Only " + route_title(*only, 0, safe()) + ".\n\n";
    }
    if (figures.ledger.units == 0) {
        out += "No finished request.\n\n";
    } else {
        for (const analyze::ServiceLine& service : model.services) {
            if (only == nullptr) {
                out += "# " + joined(service_items(model, service, safe()), " · ") + "\n\n";
                account(out, model, service.figures);
            }
        }
        if (only != nullptr || model.services.empty()) {
            account(out, model, figures);
        }
        findings(out, model, figures, only);
        if (only == nullptr) {
            routes(out, model);
        }
        calls(out, figures, unit_noun(model));
    }
    background_markdown(out, model, only);
    out += "## How sure\n\n";
    for (const std::string& item : trust_items(model, safe())) {
        out += "- " + item + "\n";
    }
    for (const std::string& item : not_seen_items(model, safe())) {
        out += "- not seen: " + item + "\n";
    }
    out += "\n## Own cost\n\n";
    for (const std::string& item : own_cost_items(model)) {
        out += "- " + item + "\n";
    }
    if (options.slowest > 0 && !figures.slowest.empty()) {
        out += "\n## The slowest\n\n";
        for (std::size_t i = 0; i < std::min(options.slowest, figures.slowest.size()); ++i) {
            unit(out, *figures.slowest[i]);
        }
    }
    return out;
}

}  // namespace timesink::report
