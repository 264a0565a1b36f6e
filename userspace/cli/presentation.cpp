#include "cli/presentation.hpp"

#include <algorithm>

#include "cli/rules_file.hpp"
#include "cli/terminal.hpp"
#include "report/json.hpp"
#include "report/markdown.hpp"
#include "report/text.hpp"
#include "report/unit_tree.hpp"

namespace timesink::cli {
namespace {

report::TextOptions text_options(const Presentation& presentation) {
    const Terminal terminal = ask_terminal();
    return {.width = terminal.width,
            .height = terminal.height,
            .ascii = terminal.ascii,
            .colour = terminal.colour,
            .recording = presentation.recording,
            .service = presentation.service,
            .route = presentation.route};
}

Result<std::string> render_text(const analyze::Model& model, const Presentation& presentation) {
    const report::TextOptions options = text_options(presentation);
    if (presentation.unit) {
        return report::render_unit(model, UnitId{*presentation.unit}, options);
    }
    if (presentation.slowest) {
        return report::render_slowest(model, *presentation.slowest, options);
    }
    return report::render_text(model, options);
}

Result<std::string> render_json(const analyze::Model& model, const Presentation& presentation) {
    report::JsonOptions options;
    options.service = presentation.service;
    options.route = presentation.route;
    options.slowest = presentation.slowest.value_or(options.slowest);
    if (presentation.unit) {
        options.unit = UnitId{*presentation.unit};
    }
    return report::render_json(model, options);
}

}  // namespace

void add_presentation_options(CLI::App& command, Presentation& presentation) {
    command.add_option("--format", presentation.format, "text, json or md")
        ->check(CLI::IsMember({"text", "json", "md"}))
        ->capture_default_str();
    add_rules_option(command, presentation.rules);
    command.add_option("--slowest", presentation.slowest, "The N slowest requests, each as a tree")->check(CLI::Range(1, 1000));
}

void add_evidence_option(CLI::App& command, std::vector<std::string>& kinds) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < attribute::kEvidenceCount; ++i) {
        const auto evidence = static_cast<attribute::Evidence>(i);
        if (evidence != attribute::Evidence::none && evidence != attribute::Evidence::ambiguous) {
            names.emplace_back(attribute::name(evidence));
        }
    }
    command
        .add_option("--evidence", kinds,
                    "Take owners of calls as known by these kinds only, e.g. 'thread,propagated'; what others know becomes "
                    "ambiguous")
        ->delimiter(',')
        ->check(CLI::IsMember(names));
}

attribute::EvidenceSet evidence_of(const std::vector<std::string>& kinds) {
    attribute::EvidenceSet trusted;
    for (std::size_t i = 0; i < attribute::kEvidenceCount; ++i) {
        const std::string_view name = attribute::name(static_cast<attribute::Evidence>(i));
        trusted.set(i, kinds.empty() || std::find(kinds.begin(), kinds.end(), name) != kinds.end());
    }
    return trusted;
}

analyze::Options analysis_options(const Presentation& presentation) {
    analyze::Options options;
    options.trusted = evidence_of(presentation.evidence);
    if (presentation.slowest) {
        options.slowest = std::max(options.slowest, *presentation.slowest);
        options.slowest_of_route = std::max(options.slowest_of_route, presentation.route.empty() ? 0 : *presentation.slowest);
    }
    if (presentation.unit) {
        options.keep_unit = UnitId{*presentation.unit};
    }
    options.focus_route = presentation.route;
    return options;
}

Result<request::RoutePatterns> parse_routes(const std::vector<std::string>& patterns) {
    request::RoutePatterns routes;
    for (const std::string& pattern : patterns) {
        if (const Status added = routes.add(pattern); !added) {
            return Error{"--route '" + pattern + "': " + added.error().what};
        }
    }
    return routes;
}

Result<std::string> render(const analyze::Model& model, const Presentation& presentation) {
    if (presentation.format == "json") {
        return render_json(model, presentation);
    }
    if (presentation.format == "md") {
        return report::render_markdown(
            model, {.service = presentation.service, .route = presentation.route, .slowest = presentation.slowest.value_or(0)});
    }
    return render_text(model, presentation);
}

}  // namespace timesink::cli
