#include <memory>

#include "cli/command.hpp"
#include "cli/message.hpp"
#include "cli/model_file.hpp"
#include "cli/presentation.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"
#include "report/explanation.hpp"

namespace timesink::cli {
namespace {

struct ExplainOptions {
    std::string file;
    std::uint64_t unit = 0;
    bool strict = false;
    std::string rules;
    std::string model;
};

int run_explain(const ExplainOptions& options) {
    int code = kDone;
    const auto reader = open_recording(options.file, code);
    if (!reader) {
        return code;
    }
    auto routes = parse_routes(recorded_routes(*reader));
    if (!routes) {
        return fail(kUsage, routes.error());
    }
    const auto rules = rules_of(options.rules, *reader);
    if (!rules) {
        return fail(kUsage, rules.error(), kRulesHint);
    }
    analyze::Options wanted;
    wanted.user_rules = *rules;
    wanted.models = models_of(options.model, *reader, code);
    if (code != kDone) {
        return code;
    }
    report::Explanation explanation(UnitId{options.unit});
    analyze::Analysis analysis(wanted, std::move(routes).value(), &explanation);
    code = replay(*reader, "explain", options.strict, [&](auto records) { return analysis.push(records); });
    if (code != kDone) {
        return code;
    }
    (void)analysis.finish();
    if (!explanation.found()) {
        return fail(kUsage, Error{options.file + ": there is no unit " + std::to_string(options.unit)},
                    "'timesink export' and 'timesink report --slowest 3' give the ids.");
    }
    return print(explanation.text());
}

}  // namespace

Command add_explain(CLI::App& program, const std::vector<std::string>&) {
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App* command = program.add_subcommand("explain", "Why each call belongs to this request: evidence, margin, runner-up");
    command->add_option("FILE", options->file, "The recording")->required();
    command->add_option("UNIT", options->unit, "The request's id, as --slowest, --format json or export give it")->required();
    command->add_flag("--strict", options->strict, "Refuse a recording that is cut off or damaged");
    add_rules_option(*command, options->rules);
    add_model_option(*command, options->model);
    return {command, [options] { return run_explain(*options); }};
}

}  // namespace timesink::cli
