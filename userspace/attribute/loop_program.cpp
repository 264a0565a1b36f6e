#include "attribute/loop_program.hpp"

#include <algorithm>
#include <span>
#include <string_view>

namespace timesink::attribute {

LoopProgram::Route LoopProgram::route(const std::string& name) {
    const std::size_t before = routes_.size();
    const infer::RouteId named = number_of(name);
    if (routes_.size() > before) {
        model_.families().relate(named, families_of(name));
    }
    return {model_.families().stands_for(named), named};
}

/// Each as the route is named when one of its words is taken for data. Where there are many routes already, none that are new.
std::vector<infer::RouteId> LoopProgram::families_of(const std::string& name) {
    constexpr std::size_t kMostFamilies = 4;
    std::vector<infer::RouteId> families;
    for (std::size_t slash = name.find('/'); slash != std::string::npos && families.size() < kMostFamilies;) {
        const std::size_t next = name.find('/', slash + 1);
        const std::string_view segment =
            std::string_view(name).substr(slash + 1, next == std::string::npos ? next : next - slash - 1);
        if (!segment.empty() && !segment.starts_with('{')) {
            const std::string family = std::string(name).replace(slash + 1, segment.size(), "{name}");
            if (routes_.size() < kMostRoutes / 2 || routes_.contains(family)) {
                families.push_back(number_of(family));
            }
        }
        slash = next;
    }
    return families;
}

infer::RouteId LoopProgram::number_of(std::string name) {
    const auto known = routes_.find(name);
    if (known != routes_.end()) {
        return known->second;
    }
    if (routes_.size() >= kMostRoutes) {
        return infer::RouteId{0};
    }
    const auto id = static_cast<infer::RouteId>(routes_.size());
    for (std::size_t i = 0; given_ != nullptr && i < given_->size(); ++i) {
        if ((*given_)[i].route == name) {
            take_over(id, (*given_)[i]);
        }
    }
    route_names_.push_back(name);
    routes_.emplace(std::move(name), id);
    return id;
}

/// A server that a model knows may have another address now: the first that speaks its protocol and is not known is taken for it.
infer::PoolId LoopProgram::pool(const std::string& protocol, const event::Endpoint& remote) {
    PoolName name(protocol, remote);
    const auto known = pools_.find(name);
    if (known != pools_.end()) {
        return known->second;
    }
    std::size_t id = 0;
    while (id < pool_names_.size() && !(awaited_[id] && pool_names_[id].first == protocol)) {
        ++id;
    }
    if (id == pool_names_.size()) {
        if (id >= kMostPools) {
            return static_cast<infer::PoolId>(kMostPools);
        }
        pool_names_.push_back(name);
        awaited_.push_back(false);
    }
    awaited_[id] = false;
    pool_names_[id] = name;
    return pools_.emplace(std::move(name), static_cast<infer::PoolId>(id)).first->second;
}

infer::PoolId LoopProgram::pool_of(const RouteModel::Pool& given) {
    const PoolName name(given.protocol, given.remote);
    const auto known = given_pools_.find(name);
    if (known != given_pools_.end()) {
        return known->second;
    }
    auto id = static_cast<infer::PoolId>(kMostPools);
    const auto same = pools_.find(name);
    const auto taken = [&](infer::PoolId pool) {
        return std::any_of(given_pools_.begin(), given_pools_.end(), [&](const auto& each) { return each.second == pool; });
    };
    const auto other = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const auto& each) { return each.first.first == given.protocol && !taken(each.second); });
    if (same != pools_.end()) {
        id = same->second;
    } else if (other != pools_.end()) {
        id = other->second;
    } else if (pool_names_.size() < kMostPools) {
        id = static_cast<infer::PoolId>(pool_names_.size());
        pool_names_.push_back(name);
        awaited_.push_back(true);
    }
    if (given_pools_.size() < kMostPools) {
        given_pools_.emplace(name, id);
    }
    return id;
}

infer::Shape LoopProgram::shape_of(infer::PoolId pool, std::uint64_t fingerprint) {
    const auto shape = static_cast<infer::Shape>((fingerprint ^ (static_cast<std::uint64_t>(pool) + 1)) * 0x9e3779b97f4a7c15);
    if (statements_.size() < kMostShapes) {
        statements_.try_emplace(shape, Statement{pool, fingerprint});
    }
    return shape;
}

infer::Shape LoopProgram::shape(const request::Exchange& exchange, infer::PoolId pool) {
    constexpr std::uint64_t kUnnamed = 0x756e6e616d6564;
    const std::uint64_t known = exchange.fingerprint != 0 ? exchange.fingerprint : kUnnamed;
    const bool prepares = exchange.housekeeping && exchange.operation == "PREPARE" && exchange.fingerprint != 0;
    return shape_of(pool, known + (exchange.housekeeping && !prepares ? 1 : 0));
}

infer::Shape LoopProgram::shape_of_columns(const request::Exchange& exchange, infer::PoolId pool) {
    return exchange.columns != 0 && exchange.error.empty() ? shape_of(pool, exchange.columns) : infer::Shape{};
}

void LoopProgram::take_over(infer::RouteId route, const RouteModel& given) {
    std::vector<infer::KnownPath> paths;
    for (const RouteModel::Path& path : given.paths) {
        infer::KnownPath& known = paths.emplace_back();
        known.times = path.times;
        for (const RouteModel::Step& step : path.steps) {
            switch (step.kind) {
                case RouteModel::Step::Kind::respond:
                    known.steps.push_back(infer::Step::respond);
                    break;
                case RouteModel::Step::Kind::sleep:
                    known.steps.push_back(infer::Step::sleep);
                    break;
                case RouteModel::Step::Kind::join:
                    known.steps.push_back(infer::Step::join);
                    break;
                case RouteModel::Step::Kind::statements: {
                    std::vector<infer::Shape> shapes;
                    for (const RouteModel::Statement& statement : step.statements) {
                        const infer::PoolId pool = pool_of(given.pools[statement.pool]);
                        shapes.push_back(shape_of(pool, statement.fingerprint));
                        model_.place(shapes.back(), pool);
                    }
                    known.steps.push_back(model_.list(shapes));
                    break;
                }
            }
        }
        for (const RouteModel::Slept& slept : path.slept) {
            known.slept.push_back({slept.step, slept.least, slept.most});
        }
    }
    model_.give(route, paths);
}

/// False: it has a statement that is not known any more.
bool LoopProgram::write_path(RouteModel& into, std::map<infer::PoolId, std::uint32_t>& pools,
                             const infer::KnownPath& path) const {
    RouteModel::Path written;
    written.times = path.times;
    for (const infer::Step taken : path.steps) {
        RouteModel::Step& step = written.steps.emplace_back();
        step.kind = taken == infer::Step::respond ? RouteModel::Step::Kind::respond
                    : taken == infer::Step::sleep ? RouteModel::Step::Kind::sleep
                    : taken == infer::Step::join  ? RouteModel::Step::Kind::join
                                                  : RouteModel::Step::Kind::statements;
        for (const infer::Shape shape : model_.shapes(taken)) {
            const auto statement = statements_.find(shape);
            if (statement == statements_.end() || static_cast<std::size_t>(statement->second.pool) >= pool_names_.size()) {
                return false;
            }
            const auto [pool, added] = pools.try_emplace(statement->second.pool, static_cast<std::uint32_t>(into.pools.size()));
            if (added) {
                const PoolName& name = pool_names_[static_cast<std::size_t>(pool->first)];
                into.pools.push_back({name.first, name.second});
            }
            step.statements.push_back({pool->second, statement->second.fingerprint});
        }
        if (step.kind == RouteModel::Step::Kind::statements && step.statements.empty()) {
            return false;
        }
    }
    for (const infer::KnownPath::Slept& slept : path.slept) {
        written.slept.push_back({slept.part, slept.least, slept.most});
    }
    into.paths.push_back(std::move(written));
    return true;
}

std::vector<RouteModel> LoopProgram::models() const {
    std::vector<RouteModel> models;
    for (const auto& [route, paths] : model_.paths().routes()) {
        if (static_cast<std::size_t>(route) >= route_names_.size()) {
            continue;
        }
        RouteModel model;
        model.route = route_names_[static_cast<std::size_t>(route)];
        std::map<infer::PoolId, std::uint32_t> pools;
        bool any = false;
        for (const infer::KnownPath& path : paths) {
            any = write_path(model, pools, path) || any;
        }
        if (any) {
            models.push_back(std::move(model));
        }
    }
    return models;
}

}  // namespace timesink::attribute
