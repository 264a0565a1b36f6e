#include "cli/rules_file.hpp"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "cli/message.hpp"
#include "cli/replay.hpp"

namespace timesink::cli {
namespace {

constexpr std::string_view kRulesFact = "rules";

}  // namespace

void add_rules_option(CLI::App& command, std::string& path) {
    command.add_option("--rules", path,
                       "TOML: which calls are db, provider, transfer or internal, ahead of the defaults (docs/rules.md)");
}

Result<std::string> read_rules_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text(rules::RuleSet::kMostBytes + 1, '\0');
    if (file) {
        file.read(text.data(), static_cast<std::streamsize>(text.size()));
    }
    if (!file.is_open() || file.bad()) {
        const int why = errno != 0 ? errno : EIO;
        return Error{"--rules " + path + ": cannot read: " + std::generic_category().message(why), why};
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > rules::RuleSet::kMostBytes) {
        return Error{"--rules " + path + ": longer than " + std::to_string(rules::RuleSet::kMostBytes) + " bytes"};
    }
    return text;
}

Result<Rules> parse_rules(const std::string& text, const std::string& path) {
    Result<rules::RuleSet> parsed = rules::RuleSet::parse(text, path);
    if (!parsed) {
        return parsed.error();
    }
    return Rules(std::make_shared<const rules::RuleSet>(std::move(parsed).value()));
}

Result<Rules> rules_of(const std::string& path, const capture::Reader& reader) {
    if (!path.empty()) {
        const Result<std::string> text = read_rules_file(path);
        return text ? parse_rules(*text, path) : Result<Rules>(text.error());
    }
    Result<Rules> found = Rules();
    for_each_fact(reader, kRulesFact, [&](const nlohmann::json& body) {
        const auto text = body.find("text");
        const auto file = body.find("file");
        if (text != body.end() && text->is_string() && file != body.end() && file->is_string()) {
            found = parse_rules(text->get<std::string>(), file->get<std::string>());
        }
    });
    if (!found) {
        return Error{"the rules in " + reader.path() + ": " + found.error().what};
    }
    return found;
}

std::vector<std::byte> rules_record(const std::string& text, const std::string& path, std::uint64_t time) {
    return fact_record({{"fact", kRulesFact}, {"file", file_name(path)}, {"text", text}}, time);
}

}  // namespace timesink::cli
