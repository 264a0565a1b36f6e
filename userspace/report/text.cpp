#include "report/text.hpp"

#include <algorithm>

#include "analyze/call_name.hpp"
#include "base/ascii.hpp"
#include "report/account_tree.hpp"
#include "report/background_section.hpp"
#include "report/numbers.hpp"
#include "report/safe_text.hpp"
#include "report/table.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

using analyze::CallLine;
using analyze::Figures;
using analyze::Finding;
using analyze::Model;
using analyze::RouteLine;
using analyze::ServiceLine;
using attribute::Bucket;

constexpr std::size_t kMostFindings = 5;
constexpr std::size_t kFewestRoutes = 5;
constexpr std::size_t kMostCallsOfRoute = 20;

std::string share_cell(Duration part, Duration whole) {
    return whole > Duration{} ? fixed(share_of(part, whole) * 100, 0) + "%" : std::string(kNotMeasured);
}

/// One text report: draws the sections on its page.
class Report {
public:
    Report(const Model& model, const TextOptions& options, const ServiceLine* service, const RouteLine* route)
        : model_(model), options_(options), service_(service), route_(route), page_(options) {}

    std::string draw() {
        const Figures& figures = route_ != nullptr ? route_->figures : service_ != nullptr ? service_->figures : model_.total;
        header(figures);
        if (figures.ledger.units == 0) {
            nothing();
        } else if (route_ == nullptr && service_ == nullptr && !model_.services.empty()) {
            services();
            findings(figures);
        } else {
            draw_account(page_, model_, figures);
            beside(figures);
            page_.line();
            findings(figures);
            if (route_ != nullptr) {
                calls(figures);
            } else {
                routes(service_);
            }
        }
        draw_background(page_, model_, service_, route_);
        trust();
        cost();
        return page_.take();
    }

private:
    void header(const Figures& figures) {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        page_.flow("timesink  ", header_items(model_, figures, safe), " · ");
        if (route_ != nullptr) {
            page_.line("only      " + cut(route_title(*route_, 0, safe), page_.width() - 10));
        }
        if (service_ != nullptr) {
            page_.line("of        " + cut(safe(service_->name), page_.width() - 10));
        }
        page_.line();
    }

    void nothing() {
        page_.heading("NO FINISHED REQUEST");
        if (model_.coverage.excluded_total() > 0) {
            page_.line("  All that were seen are left out; HOW SURE says why.");
        } else if (model_.coverage.connections > 0) {
            page_.flow(
                "  ", {noun(model_.coverage.connections, "connection") + " were seen, but no request on them that was answered."},
                "");
        } else {
            page_.line("  The target moved no byte on a socket in this time.");
        }
        page_.line();
    }

    /// Each server by itself: what one asks of another is in both accounts.
    void services() {
        constexpr std::size_t kMostServices = 8;
        const std::size_t shown = std::min(model_.services.size(), kMostServices);
        for (std::size_t i = 0; i < shown; ++i) {
            const ServiceLine& service = model_.services[i];
            const Safe safe = [&](std::string_view text) { return page_.safe(text); };
            page_.flow("SERVICE   ", service_items(model_, service, safe), " · ");
            draw_account(page_, model_, service.figures);
            beside(service.figures);
            page_.line();
            routes(&service);
        }
        if (shown < model_.services.size()) {
            page_.line("and " + noun(model_.services.size() - shown, "more service") + ": --service NAME, or --format json");
            page_.line();
        }
    }

    /// What happened outside the account: overlapped calls, and the client's wait before the window.
    void beside(const Figures& figures) {
        std::vector<std::string> items;
        const auto units = static_cast<Duration::rep>(figures.ledger.units);
        if (figures.ledger.hidden / units > Duration{}) {
            items.push_back(duration(figures.ledger.hidden / units) + " of calls hidden behind others that ran at the same time");
        }
        if (figures.accept_wait.count > 0) {
            items.push_back(noun(figures.accept_wait.count, "new connection") + " accepted after " +
                            duration(figures.accept_wait.mean()) + " (p99 " + duration(figures.accept_wait.p99) + ")");
        }
        if (figures.queue_wait.count > 0) {
            items.push_back(queue_wait_text(figures.queue_wait));
        }
        if (std::string nobodys = &figures == &model_.total ? nobodys_text(model_) : ""; !nobodys.empty()) {
            items.push_back(std::move(nobodys));
        }
        if (!items.empty()) {
            page_.flow("  beside it: ", items, " · ");
        }
    }

    void findings(const Figures& figures) {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        page_.heading("WHAT TO DO FIRST");
        std::size_t shown = 0;
        for (const Finding& finding : model_.findings) {
            const bool here = route_ == nullptr || (finding.method == route_->method && finding.route == route_->route);
            if (shown < kMostFindings && here) {
                draw(finding, ++shown, figures, safe);
            }
        }
        if (shown == 0) {
            page_.line("  " + nothing_found(figures));
        }
        page_.line();
    }

    void draw(const Finding& finding, std::size_t rank, const Figures& figures, const Safe& safe) {
        constexpr std::size_t kSure = 6;
        std::string gain = gain_text(finding, figures.ledger);
        // A finding is about the run or one route; elsewhere its gain cannot be said per request.
        const std::size_t gain_width = std::max<std::size_t>(display_width(gain), 20);
        const bool wide = page_.width() >= 80;
        const std::size_t room = wide ? page_.width() - 5 - 2 - gain_width - 2 - kSure : page_.width() - 5;
        const std::vector<std::string> lines = wrap(sentence(finding, safe, std::max<std::size_t>(room, 40) - 4), room);
        const std::string number = "  " + std::to_string(rank) + ". ";
        const std::string sure(name(finding.sureness));
        for (std::size_t i = 0; i < lines.size(); ++i) {
            std::string line = i == 0 ? number : std::string(5, ' ');
            if (i == 0 && wide) {
                line.append(pad_right(lines[i], room)).append("  ").append(pad_left(gain, gain_width)).append("  ").append(sure);
            } else {
                line.append(lines[i]);
            }
            page_.line(line);
        }
        if (!wide) {
            page_.line("     " + (gain.empty() ? "" : gain + ", ") + sure);
        }
    }

    /// Of one service, or of all.
    void routes(const ServiceLine* service) {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        const auto is_partial = [](const RouteLine* line) { return line->partial; };
        std::vector<const RouteLine*> lines;
        for (const RouteLine& line : model_.routes) {
            if (service == nullptr || (!line.other && &model_.services[line.service] == service)) {
                lines.push_back(&line);
            }
        }
        const bool partial = std::any_of(lines.begin(), lines.end(), is_partial);
        // Heading, blank line, HOW SURE and OWN COST; and what comes between.
        const std::size_t below = (partial ? 7 : 6) + background_height(model_, service, nullptr);
        const std::size_t left = options_.height > page_.lines() + below ? options_.height - page_.lines() - below : 0;
        const std::size_t most = std::max(left, kFewestRoutes);
        std::size_t shown = lines.size();
        if (shown > most) {
            shown = most - 1;
        }
        std::vector<RouteRow> rows;
        for (std::size_t i = 0; i < shown; ++i) {
            const RouteLine& line = *lines[i];
            rows.push_back(
                {(line.partial ? "* " : "  ") + route_title(line, model_.routes_folded, safe), line.partial, &line.figures});
        }
        Duration rest{};
        for (std::size_t i = shown; i < lines.size(); ++i) {
            rest += lines[i]->figures.ledger.wall;
        }
        draw(rows);
        if (shown < lines.size()) {
            const Duration whole = service == nullptr ? model_.total.ledger.wall : service->figures.ledger.wall;
            page_.line("  and " + noun(lines.size() - shown, "more line") + " with " + percent_short(share_of(rest, whole)) +
                       " of the time: --format json has them");
        }
        if (std::any_of(rows.begin(), rows.end(), [](const RouteRow& row) { return row.partial; })) {
            page_.line("  * some of its requests may be in “other”: there were more routes than the table holds");
        }
        page_.line();
    }

    struct RouteRow {
        std::string name;
        bool partial;
        const Figures* figures;
    };

    void draw(const std::vector<RouteRow>& rows) {
        double largest = 0;
        for (const RouteRow& row : rows) {
            largest = std::max(largest, static_cast<double>(row.figures->latency.mean().count()));
        }
        const TimeScale scale = TimeScale::of(largest);
        const double seconds = static_cast<double>(model_.run.watched().count()) / 1e9;
        Table table(0, 16);
        const auto column = [&](auto cell) {
            std::vector<std::string> cells;
            cells.reserve(rows.size());
            for (const RouteRow& row : rows) {
                cells.push_back(cell(*row.figures));
            }
            return cells;
        };
        const auto time = [&](Duration value) { return scale.digits(static_cast<double>(value.count())); };
        std::vector<std::string> names;
        names.reserve(rows.size());
        for (const RouteRow& row : rows) {
            names.push_back(row.name);
        }
        const std::string units = unit_noun(model_) + "s";
        table.add({"ROUTES, in " + std::string(scale.unit), names, false});
        table.add({units, column([](const Figures& f) { return grouped(f.ledger.units); }), true});
        table.add_numbers("/s", column([&](const Figures& f) {
                              return seconds > 0 ? three_digits(static_cast<double>(f.ledger.units) / seconds, 1)
                                                 : std::string(kNotMeasured);
                          }));
        table.add_numbers("mean", column([&](const Figures& f) { return time(f.latency.mean()); }));
        table.add_numbers("p95", column([&](const Figures& f) { return time(f.latency.p95); }));
        table.add_numbers("p99", column([&](const Figures& f) { return time(f.latency.p99); }));
        table.add_numbers("err%", column([](const Figures& f) { return fixed(share_of(f.failed(), f.ledger.units) * 100, 1); }));
        constexpr std::array<std::string_view, attribute::kBucketCount> kTitles = {"db", "prov", "xfer", "over"};
        for (std::size_t i = 0; i < kTitles.size(); ++i) {
            const auto bucket = static_cast<Bucket>(i);
            table.add({std::string(kTitles[i]),
                       column([&](const Figures& f) { return share_cell(f.ledger.bucket(bucket), f.ledger.wall); }), true});
        }
        table.add_numbers("stmts", column([](const Figures& f) { return fixed(share_of(f.statements, f.ledger.units), 1); }));
        bool first = true;
        for (const std::string& line : table.lines(page_.width())) {
            page_.line(first ? page_.painted(Paint::heading, line) : line);
            first = false;
        }
    }

    void calls(const Figures& figures) {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        const auto units = static_cast<double>(figures.ledger.units);
        const TimeScale scale = TimeScale::of(static_cast<double>(figures.ledger.wall.count()) / units);
        std::vector<std::string> names;
        std::vector<std::string> counts;
        std::vector<std::string> shares;
        std::vector<std::string> on_path;
        std::vector<std::string> means;
        std::vector<std::string> longest;
        std::vector<std::string> errors;
        const auto time = [&](double ns) { return scale.digits(ns); };
        const std::size_t shown = std::min(figures.calls.size(), kMostCallsOfRoute);
        for (std::size_t i = 0; i < shown; ++i) {
            const CallLine& call = figures.calls[i];
            names.push_back("  " + (call.other ? "other (" + noun(figures.calls_folded, "shape") + ")"
                                               : safe(call.protocol) + " " + safe(analyze::call_name(call)) +
                                                     (call.housekeeping ? " (driver)" : "")));
            counts.push_back(three_digits(share_of(call.count, figures.ledger.units), 1));
            on_path.push_back(time(static_cast<double>(call.on_path.count()) / units));
            shares.push_back(share_cell(call.on_path, figures.ledger.wall));
            means.push_back(time(static_cast<double>(call.duration.mean().count())));
            longest.push_back(time(static_cast<double>(call.duration.max.count())));
            errors.push_back(grouped(call.errors));
        }
        if (shown == 0) {
            page_.line(page_.painted(Paint::heading, "CALLS") + "  none");
        } else {
            Table table(0, 20);
            table.add({"CALLS, in " + std::string(scale.unit), names, false});
            table.add_numbers("× a " + unit_noun(model_), counts);
            table.add_numbers("on path", on_path);
            table.add({"of it", shares, true});
            table.add_numbers("a call", means);
            table.add_numbers("longest", longest);
            table.add({"errors", errors, true});
            bool first = true;
            for (const std::string& line : table.lines(page_.width())) {
                page_.line(first ? page_.painted(Paint::heading, line) : line);
                first = false;
            }
            if (shown < figures.calls.size()) {
                page_.line("  and " + noun(figures.calls.size() - shown, "more shape") + ": --format json has them all");
            }
        }
        page_.line();
    }

    void trust() {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        page_.flow("HOW SURE     ", trust_items(model_, safe), " | ");
        page_.flow("             not seen: ", not_seen_items(model_, safe), " | ");
    }

    void cost() {
        page_.flow("OWN COST     ", own_cost_items(model_), " · ");
        if (options_.recording.empty()) {
            return;
        }
        // Only what no shell could read as anything else is offered for copying.
        const auto plain = [](std::string_view text) {
            return std::all_of(text.begin(), text.end(), [](char c) {
                return is_letter(c) || is_digit(c) || std::string_view("/._-{}+ ").find(c) != std::string_view::npos;
            });
        };
        if (!plain(options_.recording) || options_.recording.find(' ') != std::string::npos) {
            return;
        }
        std::vector<std::string> hints = {"timesink report " + options_.recording};
        if (route_ == nullptr && !model_.routes.empty() && !model_.routes.front().other && plain(model_.routes.front().route) &&
            plain(model_.routes.front().method)) {
            hints.front() += " --route '" + model_.routes.front().method + " " + model_.routes.front().route + "'";
        }
        hints.emplace_back("--slowest 3");
        hints.emplace_back("--format json|md");
        page_.flow("             ", hints, " · ");
    }

    const Model& model_;
    const TextOptions& options_;
    const ServiceLine* service_;
    const RouteLine* route_;
    Page page_;
};

}  // namespace

Result<const ServiceLine*> find_service(const Model& model, std::string_view wanted) {
    if (wanted.empty()) {
        return static_cast<const ServiceLine*>(nullptr);
    }
    std::string names;
    for (const ServiceLine& service : model.services) {
        const bool by_port = std::any_of(service.ports.begin(), service.ports.end(),
                                         [&](std::uint16_t port) { return ":" + std::to_string(port) == wanted; });
        if (service.name == wanted || by_port) {
            return &service;
        }
        names += (names.empty() ? "" : ", ") + terminal_safe(service.name, false);
    }
    return Error{"service " + terminal_safe(wanted, false) + ": not in this run, which has " +
                 (names.empty() ? "one service only" : names)};
}

Result<const RouteLine*> find_route(const Model& model, std::string_view wanted, const ServiceLine* service) {
    const RouteLine* found = nullptr;
    bool exact = false;
    for (const RouteLine& line : model.routes) {
        if (line.other || (service != nullptr && &model.services[line.service] != service)) {
            continue;
        }
        const bool whole = line.method + " " + line.route == wanted;
        if (!whole && (exact || line.route != wanted)) {
            continue;
        }
        if (found != nullptr && whole == exact) {
            const std::string title = terminal_safe(found->method + " " + found->route, false);
            return Error{"route " + terminal_safe(wanted, false) +
                         (found->service != line.service ? ": several services have it; name one with --service '" +
                                                               terminal_safe(model.services[found->service].name, false) + "'"
                                                         : ": several methods have it; name one ('" + title + "')")};
        }
        found = &line;
        exact = whole;
    }
    if (found == nullptr) {
        return Error{"route " + terminal_safe(wanted, false) + ": none of the " + std::to_string(model.routes.size()) +
                     " routes of this run"};
    }
    return found;
}

Result<std::string> render_text(const Model& model, const TextOptions& options) {
    const Result<const ServiceLine*> service = find_service(model, options.service);
    if (!service) {
        return service.error();
    }
    const RouteLine* route = nullptr;
    if (!options.route.empty()) {
        const Result<const RouteLine*> found = find_route(model, options.route, *service);
        if (!found) {
            return found.error();
        }
        route = *found;
    }
    return Report(model, options, *service, route).draw();
}

}  // namespace timesink::report
