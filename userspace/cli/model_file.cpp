#include "cli/model_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/exit_code.hpp"
#include "cli/message.hpp"
#include "cli/presentation.hpp"
#include "cli/replay.hpp"
#include "cli/rules_file.hpp"
#include "infer/paths.hpp"

namespace timesink::cli {
namespace {

using attribute::RouteModel;
using nlohmann::json;

constexpr std::string_view kModelFact = "model";
constexpr std::size_t kLongestFact = std::size_t{48} * 1024;
// What is read from a file: more than is ever written there is somebody's invention.
constexpr std::size_t kMostPools = 256;
constexpr std::size_t kMostModels = 4096;
constexpr double kMostTimes = 1e9;

json to_json(const RouteModel::Path& path) {
    json steps = json::array();
    for (const RouteModel::Step& step : path.steps) {
        switch (step.kind) {
            case RouteModel::Step::Kind::respond:
                steps.push_back("respond");
                break;
            case RouteModel::Step::Kind::sleep:
                steps.push_back("sleep");
                break;
            case RouteModel::Step::Kind::join:
                steps.push_back("join");
                break;
            case RouteModel::Step::Kind::statements:
                json statements = json::array();
                for (const RouteModel::Statement& statement : step.statements) {
                    statements.push_back({statement.pool, statement.fingerprint});
                }
                steps.push_back(std::move(statements));
                break;
        }
    }
    json slept = json::array();
    for (const RouteModel::Slept& each : path.slept) {
        slept.push_back({each.step, to_ns(each.least), to_ns(each.most)});
    }
    return {{"times", path.times}, {"steps", std::move(steps)}, {"slept_ns", std::move(slept)}};
}

json to_json(const RouteModel& model) {
    json pools = json::array();
    for (const RouteModel::Pool& pool : model.pools) {
        pools.push_back({{"protocol", pool.protocol}, {"address", pool.remote.address}, {"port", pool.remote.port}});
    }
    json written = json::array();
    for (const RouteModel::Path& path : model.paths) {
        written.push_back(to_json(path));
    }
    return {{"fact", kModelFact}, {"route", model.route}, {"pools", std::move(pools)}, {"paths", std::move(written)}};
}

/// Throws json::exception where a member is missing or of another type; `sound` becomes false where a value is out of range.
RouteModel::Step step_of(const json& written, std::size_t pools, bool& sound) {
    RouteModel::Step step;
    if (written.is_string()) {
        const std::string& name = written.get_ref<const std::string&>();
        step.kind = name == "respond" ? RouteModel::Step::Kind::respond
                    : name == "sleep" ? RouteModel::Step::Kind::sleep
                                      : RouteModel::Step::Kind::join;
        sound = sound && (name == "respond" || name == "sleep" || name == "join");
        return step;
    }
    for (const json& statement : written) {
        step.statements.push_back({statement.at(0).get<std::uint32_t>(), statement.at(1).get<std::uint64_t>()});
        sound = sound && step.statements.back().pool < pools;
    }
    sound = sound && !step.statements.empty() && step.statements.size() <= infer::Paths::kLongest;
    return step;
}

RouteModel::Path path_of(const json& written, std::size_t pools, bool& sound) {
    RouteModel::Path path;
    path.times = written.at("times").get<double>();
    sound = sound && path.times > 0 && path.times < kMostTimes && written.at("steps").size() <= infer::Paths::kLongest;
    for (const json& step : written.at("steps")) {
        path.steps.push_back(step_of(step, pools, sound));
    }
    for (const json& slept : written.at("slept_ns")) {
        path.slept.push_back({slept.at(0).get<std::uint32_t>(), Duration(slept.at(1).get<std::int64_t>()),
                              Duration(slept.at(2).get<std::int64_t>())});
    }
    sound = sound && path.slept.size() <= infer::Paths::kMostSlept;
    return path;
}

/// Nothing, where it is not what model_records() writes.
std::vector<RouteModel> model_of(const json& fact) {
    RouteModel model;
    bool sound = true;
    try {
        model.route = fact.at("route").get<std::string>();
        for (const json& pool : fact.at("pools")) {
            model.pools.push_back({pool.at("protocol").get<std::string>(),
                                   {pool.at("address").get<std::string>(), pool.at("port").get<std::uint16_t>()}});
        }
        sound = model.pools.size() <= kMostPools && fact.at("paths").size() <= infer::Paths::kMostPaths;
        for (std::size_t i = 0; sound && i < fact.at("paths").size(); ++i) {
            model.paths.push_back(path_of(fact.at("paths").at(i), model.pools.size(), sound));
        }
    } catch (const json::exception&) {
        sound = false;
    }
    return sound ? std::vector<RouteModel>{std::move(model)} : std::vector<RouteModel>{};
}

/// So that a fact holds it: a live run goes by what its recording has.
void shorten(std::vector<RouteModel>& models) {
    for (RouteModel& model : models) {
        std::stable_sort(model.paths.begin(), model.paths.end(),
                         [](const RouteModel::Path& a, const RouteModel::Path& b) { return a.times > b.times; });
        while (!model.paths.empty() &&
               to_json(model).dump(-1, ' ', false, json::error_handler_t::replace).size() > kLongestFact) {
            model.paths.pop_back();
        }
    }
    std::erase_if(models, [](const RouteModel& model) { return model.paths.empty(); });
    models.resize(std::min(models.size(), kMostModels));
}

Models recorded_models(const capture::Reader& reader) {
    auto models = std::make_shared<std::vector<RouteModel>>();
    for_each_fact(reader, kModelFact, [&](const json& body) {
        std::vector<RouteModel> model = model_of(body);
        if (models->size() < kMostModels) {
            std::move(model.begin(), model.end(), std::back_inserter(*models));
        }
    });
    return models->empty() ? nullptr : models;
}

}  // namespace

void add_model_option(CLI::App& command, std::string& path) {
    command.add_option(
        "--model", path,
        "An earlier recording of this service: what its routes do is learned from it ahead (docs/owner-inference.md)");
}

Models learn_models(const std::string& path, int& code) {
    const auto reader = open_recording(path, code);
    if (!reader) {
        return nullptr;
    }
    auto routes = parse_routes(recorded_routes(*reader));
    const auto rules = rules_of({}, *reader);
    if (!routes || !rules) {
        code = fail(kUsage, routes ? rules.error() : routes.error());
        return nullptr;
    }
    analyze::Options wanted;
    wanted.user_rules = *rules;
    wanted.models = recorded_models(*reader);
    analyze::Analysis analysis(wanted, std::move(routes).value());
    code = replay(*reader, "report", false, [&](auto records) { return analysis.push(records); });
    if (code != kDone) {
        return nullptr;
    }
    (void)analysis.finish();
    auto models = std::make_shared<std::vector<RouteModel>>(analysis.models());
    shorten(*models);
    if (models->empty()) {
        say("--model " + path + ": nothing was learned there: it has no requests of an event loop that were alone");
    }
    return models;
}

Models models_of(const std::string& path, const capture::Reader& reader, int& code) {
    return path.empty() ? recorded_models(reader) : learn_models(path, code);
}

std::vector<std::byte> model_records(const std::vector<RouteModel>& models, std::uint64_t time) {
    std::vector<std::byte> records;
    for (const RouteModel& model : models) {
        const std::vector<std::byte> record = fact_record(to_json(model), time);
        records.insert(records.end(), record.begin(), record.end());
    }
    return records;
}

}  // namespace timesink::cli
