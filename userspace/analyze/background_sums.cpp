#include "analyze/background_sums.hpp"

#include <algorithm>

namespace timesink::analyze {

namespace {

constexpr std::size_t kCallsOfAll = 100;

FigureSums::Limits limits(std::size_t calls) {
    return {.calls = calls, .slowest = 0, .call_distributions = false};
}

}  // namespace

BackgroundSums::Line::Line() = default;

void BackgroundSums::Line::fold(Line&& other) {
    if (!sums) {
        sums = std::move(other.sums);
    } else if (other.sums) {
        sums->add(std::move(*other.sums));
    }
}

BackgroundSums::BackgroundSums() : total_(limits(kCallsOfAll)), lines_(kMostRoutes) {}

void BackgroundSums::add(std::size_t service, const attribute::Account& account, const UnitCalls& calls) {
    total_.add(account, calls);
    Line& line = lines_.at(View{service, account.unit.method, account.unit.route});
    if (!line.sums) {
        line.sums.emplace(limits(kCallsOfRoute));
    }
    line.sums->add(account, calls);
}

void BackgroundSums::rename(const RouteName& final_name, const ServiceNumber& final_service) {
    Lines renamed(kMostRoutes);
    for (auto& [key, line] : lines_.lines()) {
        const std::string name = final_name(key.method, key.route);
        Line& to = renamed.at(View{final_service(key.service), key.method, name});
        to.partial = to.partial || line.partial;
        to.fold(std::move(line));
    }
    if (lines_.other()) {
        renamed.fold_away(std::move(*lines_.other()), lines_.folded());
    }
    lines_ = std::move(renamed);
}

Background BackgroundSums::finish(const ServiceNumber& line_of) {
    Background made;
    made.excluded = excluded_;
    made.total = total_.finish();
    lines_.settle();
    made.routes_folded = lines_.folded();
    for (auto& [key, line] : lines_.lines()) {
        RouteLine route;
        route.service = line_of(key.service);
        route.partial = line.partial;
        route.kind = request::UnitKind::background;
        route.method = key.method;
        route.route = key.route;
        route.figures = line.sums->finish();
        made.routes.push_back(std::move(route));
    }
    std::stable_sort(made.routes.begin(), made.routes.end(),
                     [](const RouteLine& a, const RouteLine& b) { return a.figures.ledger.wall > b.figures.ledger.wall; });
    if (lines_.other() && lines_.other()->sums) {
        RouteLine route;
        route.other = true;
        route.kind = request::UnitKind::background;
        route.figures = lines_.other()->sums->finish();
        made.routes.push_back(std::move(route));
    }
    return made;
}

}  // namespace timesink::analyze
