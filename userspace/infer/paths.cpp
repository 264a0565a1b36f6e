#include "infer/paths.hpp"

#include <algorithm>
#include <span>

#include "infer/model.hpp"

namespace timesink::infer {

void Paths::add(RouteId route, const std::vector<Step>& steps, const std::vector<KnownPath::Slept>& slept, double times) {
    if (steps.size() > kLongest || (routes_.size() >= kMostRoutes && !routes_.contains(route))) {
        return;
    }
    std::vector<KnownPath>& known = routes_[route];
    auto found = std::find_if(known.begin(), known.end(), [&](const KnownPath& each) { return each.steps == steps; });
    if (found == known.end()) {
        if (known.size() >= kMostPaths) {
            return;
        }
        found = known.insert(known.end(), KnownPath{steps, 0, {}});
    }
    found->times += times;
    found->slept.insert(found->slept.end(), slept.begin(), slept.end());
    if (found->slept.size() > kMostSlept) {
        found->slept.erase(found->slept.begin(), found->slept.end() - static_cast<std::ptrdiff_t>(kMostSlept));
    }
}

// What a Model learns of whole paths, and what it was given of another run's.

void Model::learn_steps(RouteId route, std::span<const Step> steps, double weight) {
    History history = History::begin(route);
    for (const Step step : steps) {
        learn(history, step, weight);
        history = history.then(step);
    }
}

void Model::learn_path(RouteId route, const std::vector<Step>& steps, const std::vector<KnownPath::Slept>& slept, RouteId named) {
    learn_steps(route, steps, 1);
    learn_slept(route, steps, slept);
    paths_.add(route, steps, slept, 1);
    judge_given(route, steps);
    for (const RouteId family : families_.went(named == kUnknownRoute ? route : named, steps)) {
        learn_family(family);
    }
}

/// All that was learned of its routes by themselves.
void Model::learn_family(RouteId family) {
    for (const RouteId member : families_.members(family)) {
        const auto known = paths_.routes().find(member);
        const std::vector<KnownPath> paths = known != paths_.routes().end() ? known->second : std::vector<KnownPath>{};
        for (const KnownPath& path : paths) {
            learn_steps(family, path.steps, path.times);
            learn_slept(family, path.steps, path.slept);
            paths_.add(family, path.steps, path.slept, path.times);
        }
    }
}

void Model::learn_slept(RouteId route, std::span<const Step> steps, const std::vector<KnownPath::Slept>& slept) {
    History history = History::begin(route);
    for (std::size_t part = 0; part < steps.size(); ++part) {
        for (const KnownPath::Slept& each : slept) {
            if (each.part == part && steps[part] == Step::sleep) {
                learn_delay(history, each.least, each.most);
            }
        }
        history = history.then(steps[part]);
    }
}

void Model::give(RouteId route, const std::vector<KnownPath>& paths) {
    // What this run shows must be able to outvote it soon.
    constexpr double kMostWeight = 16;
    double all = 0;
    for (const KnownPath& path : paths) {
        all += path.times;
    }
    Given& given = given_[route];
    for (const KnownPath& path : paths) {
        const double weight = path.times * std::min(1.0, kMostWeight / std::max(all, 1.0));
        learn_steps(route, path.steps, weight);
        learn_slept(route, path.steps, path.slept);
        paths_.add(route, path.steps, path.slept, weight);
        families_.given(route, path.steps);
        given.paths.push_back({path.steps, weight, {}});
    }
}

/// A model of code that is no longer that: it would say for long what nobody does any more.
void Model::judge_given(RouteId route, const std::vector<Step>& steps) {
    constexpr std::uint32_t kEnough = 4;
    const auto found = given_.find(route);
    if (found == given_.end()) {
        return;
    }
    Given& given = found->second;
    const bool fits =
        std::any_of(given.paths.begin(), given.paths.end(), [&](const KnownPath& each) { return each.steps == steps; });
    ++(fits ? given.fits : given.differs);
    if (given.differs < kEnough || given.differs <= given.fits) {
        return;
    }
    for (const KnownPath& path : given.paths) {
        learn_steps(route, path.steps, -path.times);
    }
    given_.erase(found);
}

}  // namespace timesink::infer
