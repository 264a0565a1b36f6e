#include <memory>

#include "cli/command.hpp"
#include "cli/message.hpp"
#include "cli/model_file.hpp"
#include "cli/presentation.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"

namespace timesink::cli {
namespace {

struct ReportOptions {
    std::string file;
    bool strict = false;
    std::string model;
    Presentation presentation;
};

int run_report(ReportOptions& options) {
    int code = kDone;
    const auto reader = open_recording(options.file, code);
    if (!reader) {
        return code;
    }
    options.presentation.recording = file_name(options.file);
    std::vector<std::string> patterns = recorded_routes(*reader);
    if (!options.presentation.route.empty()) {
        patterns.insert(patterns.begin(), options.presentation.route);
    }
    auto routes = parse_routes(patterns);
    if (!routes) {
        return fail(kUsage, routes.error());
    }
    const auto rules = rules_of(options.presentation.rules, *reader);
    if (!rules) {
        return fail(kUsage, rules.error(), kRulesHint);
    }
    analyze::Options wanted = analysis_options(options.presentation);
    wanted.user_rules = *rules;
    wanted.models = models_of(options.model, *reader, code);
    if (code != kDone) {
        return code;
    }
    analyze::Analysis analysis(wanted, std::move(routes).value());
    code = replay(*reader, "report", options.strict, [&](auto records) { return analysis.push(records); });
    if (code != kDone) {
        return code;
    }
    const Result<std::string> report = render(analysis.finish(), options.presentation);
    return report ? print(*report) : fail(kUsage, report.error());
}

}  // namespace

Command add_report(CLI::App& program, const std::vector<std::string>&) {
    const auto options = std::make_shared<ReportOptions>();
    CLI::App* command = program.add_subcommand("report", "Report from a recording; needs neither root nor BPF");
    command->add_option("FILE", options->file, "The recording")->required();
    command->add_flag("--strict", options->strict, "Refuse a recording that is cut off or damaged");
    command->add_option("--route", options->presentation.route,
                        "Only this route, e.g. 'GET /orders/{id}'; also folds "
                        "paths that it matches");
    add_presentation_options(*command, options->presentation);
    command->add_option("--service", options->presentation.service,
                        "Of several services only this one, by its name or port, e.g. ':8001'; json and md have all of them");
    add_evidence_option(*command, options->presentation.evidence);
    add_model_option(*command, options->model);
    command
        ->add_option("--unit", options->presentation.unit,
                     "One request as a tree, by the id that --slowest, --format json or export gives")
        ->excludes("--slowest");
    return {command, [options] { return run_report(*options); }};
}

}  // namespace timesink::cli
