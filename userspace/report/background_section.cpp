#include "report/background_section.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "report/numbers.hpp"
#include "report/safe_text.hpp"
#include "report/table.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

using analyze::Figures;
using analyze::Model;
using analyze::RouteLine;
using analyze::ServiceLine;
using attribute::Bucket;

constexpr std::size_t kMostLines = 5;
constexpr std::size_t kMostMarkdownLines = 50;
constexpr std::array<std::string_view, attribute::kBucketCount> kBuckets = {"db", "prov", "xfer", "over"};

std::vector<const RouteLine*> lines_of(const Model& model, const ServiceLine* service, const RouteLine* route) {
    std::vector<const RouteLine*> lines;
    for (const RouteLine& line : model.background.routes) {
        const bool of_service = service == nullptr ||
                                (!line.other && line.service < model.services.size() && &model.services[line.service] == service);
        const bool of_route = route == nullptr || (!line.other && line.service == route->service &&
                                                   line.method == route->method && line.route == route->route);
        if (of_service && of_route) {
            lines.push_back(&line);
        }
    }
    return lines;
}

std::string share_cell(const Figures& figures, Bucket bucket) {
    return figures.ledger.wall > Duration{} ? fixed(share_of(figures.ledger.bucket(bucket), figures.ledger.wall) * 100, 0) + "%"
                                            : std::string(kNotMeasured);
}

std::string calls_each(const Figures& figures) {
    return three_digits(share_of(figures.exchanges, figures.ledger.units), 1);
}

std::string left_out(const Model& model) {
    return grouped(model.background.excluded) + " more left out: events were lost meanwhile";
}

}  // namespace

std::size_t background_height(const Model& model, const ServiceLine* service, const RouteLine* route) {
    const std::size_t lines = lines_of(model, service, route).size();
    const std::size_t more = lines > kMostLines ? 1 : 0;
    const std::size_t note = model.background.excluded > 0 && route == nullptr ? 1 : 0;
    return lines == 0 ? 0 : 2 + std::min(lines, kMostLines) + more + note;
}

void draw_background(Page& page, const Model& model, const ServiceLine* service, const RouteLine* route) {
    const std::vector<const RouteLine*> all = lines_of(model, service, route);
    if (all.empty()) {
        return;
    }
    const Safe safe = [&](std::string_view text) { return page.safe(text); };
    const std::vector<const RouteLine*> shown(all.begin(),
                                              all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kMostLines)));
    double largest = 0;
    for (const RouteLine* line : shown) {
        largest = std::max(largest, static_cast<double>(line->figures.latency.mean().count()));
    }
    const TimeScale scale = TimeScale::of(largest);
    const auto column = [&](auto cell) {
        std::vector<std::string> cells;
        for (const RouteLine* line : shown) {
            cells.push_back(cell(*line));
        }
        return cells;
    };
    const auto time = [&](Duration value) { return scale.digits(static_cast<double>(value.count())); };
    Table table(0, 16);
    table.add({"AFTER THE RESPONSE, in " + std::string(scale.unit),
               column([&](const RouteLine& line) { return "  " + route_title(line, model.background.routes_folded, safe); }),
               false});
    table.add({"times", column([](const RouteLine& line) { return grouped(line.figures.ledger.units); }), true});
    table.add_numbers("mean", column([&](const RouteLine& line) { return time(line.figures.latency.mean()); }));
    table.add_numbers("p95", column([&](const RouteLine& line) { return time(line.figures.latency.p95); }));
    for (std::size_t i = 0; i < kBuckets.size(); ++i) {
        const auto bucket = static_cast<Bucket>(i);
        table.add(
            {std::string(kBuckets[i]), column([&](const RouteLine& line) { return share_cell(line.figures, bucket); }), true});
    }
    table.add_numbers("calls", column([](const RouteLine& line) { return calls_each(line.figures); }));
    bool first = true;
    for (const std::string& line : table.lines(page.width())) {
        page.line(first ? page.painted(Paint::heading, line) : line);
        first = false;
    }
    if (shown.size() < all.size()) {
        page.line("  and " + noun(all.size() - shown.size(), "more line") + ": --format json has them");
    }
    if (model.background.excluded > 0 && route == nullptr) {
        page.line("  " + left_out(model));
    }
    page.line();
}

void background_markdown(std::string& out, const Model& model, const RouteLine* route) {
    const std::vector<const RouteLine*> lines = lines_of(model, nullptr, route);
    if (lines.empty()) {
        return;
    }
    const Safe safe = [](std::string_view text) { return markdown_safe(text); };
    out += "## After the response\n\nWhat requests went on doing when they had been answered. It is in no other figure.\n\n";
    out +=
        "| route | times | mean | p95 | db | provider | transfer | overhead | calls |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for (std::size_t i = 0; i < std::min(lines.size(), kMostMarkdownLines); ++i) {
        const RouteLine& line = *lines[i];
        const bool named = !line.other && line.service < model.services.size();
        out += "| " + (named ? safe(model.services[line.service].name) + " " : std::string()) +
               route_title(line, model.background.routes_folded, safe) + " | " + grouped(line.figures.ledger.units) + " | " +
               duration(line.figures.latency.mean()) + " | " + duration(line.figures.latency.p95) + " |";
        for (std::size_t bucket = 0; bucket < kBuckets.size(); ++bucket) {
            out += " " + share_cell(line.figures, static_cast<Bucket>(bucket)) + " |";
        }
        out += " " + calls_each(line.figures) + " |\n";
    }
    if (lines.size() > kMostMarkdownLines) {
        out += "\nand " + noun(lines.size() - kMostMarkdownLines, "more line") + "\n";
    }
    if (model.background.excluded > 0 && route == nullptr) {
        out += "\n" + left_out(model) + ".\n";
    }
    out += "\n";
}

}  // namespace timesink::report
