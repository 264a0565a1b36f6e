#include "report/export.hpp"

#include <memory>
#include <ostream>
#include <streambuf>

#include "cli/command.hpp"
#include "cli/message.hpp"
#include "cli/model_file.hpp"
#include "cli/presentation.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"

namespace timesink::cli {
namespace {

struct ExportOptions {
    std::string file;
    std::string format = "jsonl";
    bool strict = false;
    std::vector<std::string> routes;
    std::vector<std::string> evidence;
    std::string rules;
    std::string model;
};

/// stdout in blocks of 64 KiB, with the same way of failing as every other output.
class Output final : public std::streambuf {
public:
    [[nodiscard]] int code() const { return code_; }
    int sync() override {
        if (code_ == kDone && !block_.empty()) {
            code_ = print(block_);
        }
        block_.clear();
        return code_ == kDone ? 0 : -1;
    }

protected:
    int_type overflow(int_type byte) override {
        const char one = traits_type::to_char_type(byte);
        return xsputn(&one, 1) == 1 ? byte : traits_type::eof();
    }
    std::streamsize xsputn(const char* bytes, std::streamsize size) override {
        block_.append(bytes, static_cast<std::size_t>(size));
        return block_.size() >= kBlockBytes && sync() != 0 ? 0 : size;
    }

private:
    static constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;
    std::string block_;
    int code_ = kDone;
};

int run_export(const ExportOptions& options) {
    int code = kDone;
    const auto reader = open_recording(options.file, code);
    if (!reader) {
        return code;
    }
    std::vector<std::string> patterns = options.routes;
    const std::vector<std::string> recorded = recorded_routes(*reader);
    patterns.insert(patterns.end(), recorded.begin(), recorded.end());
    auto routes = parse_routes(patterns);
    if (!routes) {
        return fail(kUsage, routes.error());
    }
    const auto rules = rules_of(options.rules, *reader);
    if (!rules) {
        return fail(kUsage, rules.error(), kRulesHint);
    }
    Output output;
    std::ostream stream(&output);
    report::JsonLines lines(stream, TIMESINK_VERSION);
    analyze::Options wanted;
    wanted.trusted = evidence_of(options.evidence);
    wanted.user_rules = *rules;
    wanted.models = models_of(options.model, *reader, code);
    if (code != kDone) {
        return code;
    }
    analyze::Analysis analysis(wanted, std::move(routes).value(), &lines);
    code = replay(*reader, "export", options.strict, [&](auto records) -> Status {
        if (output.code() != kDone) {
            return Error{};
        }
        return analysis.push(records);
    });
    if (output.code() != kDone) {
        return output.code();
    }
    if (code != kDone) {
        return code;
    }
    (void)analysis.finish();
    stream.flush();
    const Status written = lines.finish();
    return output.code() != kDone ? output.code() : written ? kDone : fail(kCannotWrite, written.error());
}

}  // namespace

Command add_export(CLI::App& program, const std::vector<std::string>&) {
    const auto options = std::make_shared<ExportOptions>();
    CLI::App* command = program.add_subcommand("export", "Every request and every call of a recording, one JSON object a line");
    command->add_option("FILE", options->file, "The recording")->required();
    command->add_option("--format", options->format, "jsonl")->check(CLI::IsMember({"jsonl"}))->capture_default_str();
    command->add_flag("--strict", options->strict,
                      "Refuse a recording that is cut off or damaged (after what is whole was written)");
    command->add_option("--route", options->routes, "Fold paths like this, e.g. '/orders/{id}'; may be repeated")
        ->expected(1)
        ->take_all();
    add_evidence_option(*command, options->evidence);
    add_rules_option(*command, options->rules);
    add_model_option(*command, options->model);
    return {command, [options] { return run_export(*options); }};
}

}  // namespace timesink::cli
