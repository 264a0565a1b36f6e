#include "analyze/aggregate.hpp"

#include <algorithm>

#include "analyze/findings.hpp"

namespace timesink::analyze {

namespace {

bool is_opaque(std::string_view protocol) {
    return protocol == "unknown" || protocol == "tls";
}

/// What an exemplar keeps of its calls. At most 20 + 32 + 600 × 3 units are kept: some 100 MB if every one of them were full.
constexpr std::size_t kExchangesOfWanted = 20000;
constexpr std::size_t kExchangesOfSlowest = 2000;
constexpr std::size_t kExchangesOfOthers = 64;
constexpr std::size_t kMaximumPeers = 100;
constexpr std::size_t kMaximumWorkers = 4096;

}  // namespace

Aggregate::Aggregate(Options options)
    : options_(std::move(options)),
      facts_(timeline_),
      services_(FigureSums::Limits{.calls = options_.shapes, .slowest = options_.slowest, .call_distributions = true}),
      routes_(options_.routes),
      peers_(kMaximumPeers),
      reservoir_(options_.sample) {
    if (options_.user_rules != nullptr) {
        coverage_.rules_file = options_.user_rules->file();
        for (const rules::Rule& rule : options_.user_rules->rules()) {
            coverage_.rules.push_back({.line = rule.line, .bucket = rules::name(rule.bucket), .source_line = rule.source_line});
        }
    }
}

Aggregate::RouteSums::RouteSums() = default;
Aggregate::Peer::Peer() = default;

void Aggregate::RouteSums::fold(RouteSums&& other) {
    if (!sums) {
        sums = std::move(other.sums);
    } else if (other.sums) {
        sums->add(std::move(*other.sums));
    }
}

void Aggregate::Peer::fold(Peer&& other) {
    line.connections += other.line.connections;
    line.bytes += other.line.bytes;
    line.on_path += other.line.on_path;
}

FigureSums::Limits Aggregate::route_limits(std::string_view route) const {
    const bool focus = !options_.focus_route.empty() && route == options_.focus_route;
    return {.calls = options_.shapes_of_route,
            .slowest = focus ? std::max(options_.slowest, options_.slowest_of_route) : options_.slowest_of_route,
            .call_distributions = false};
}

void Aggregate::account(const attribute::Account& account) {
    const request::Unit& unit = account.unit;
    facts_.seen(unit.end);
    const bool wanted = options_.keep_unit && *options_.keep_unit == unit.id;
    if (unit.kind == request::UnitKind::background) {
        add_background(account, wanted);
        return;
    }
    count_load(account);
    if (unit.exclusion != request::Exclusion::none) {
        ++coverage_.excluded[static_cast<std::size_t>(unit.exclusion) % coverage_.excluded.size()];
        coverage_.exchanges_excluded += account.exchanges.size();
        if (wanted) {
            wanted_ = keep(account, kExchangesOfWanted);
        }
        return;
    }
    for (const attribute::OwnedExchange& exchange : account.exchanges) {
        count_exchange(exchange);
    }
    unit_calls_.read(account);
    const std::size_t service = services_.index_of(unit);
    services_.at(service).add(account, unit_calls_);
    RouteSums& line = routes_.at(RouteView{service, unit.kind, unit.method, unit.route});
    if (!line.sums) {
        line.sums.emplace(route_limits(unit.route));
    }
    line.sums->add(account, unit_calls_);
    keep_exemplars(account, services_.at(service), *line.sums);
    facts_.served(unit.process, unit.server.port);
    const bool failed = unit.status >= 500 || (unit.status < 400 && !unit.error.empty());
    timeline_.ended(unit.end, account.wall(), failed);
}

/// It is no load that a client put on the server, and its time is nobody's wait: it counts by itself.
void Aggregate::add_background(const attribute::Account& account, bool wanted) {
    if (wanted) {
        wanted_ = keep(account, kExchangesOfWanted);
    }
    if (account.unit.exclusion != request::Exclusion::none) {
        background_.left_out();
        coverage_.exchanges_excluded += account.exchanges.size();
        return;
    }
    for (const attribute::OwnedExchange& exchange : account.exchanges) {
        count_exchange(exchange);
    }
    unit_calls_.read(account);
    background_.add(services_.index_of(account.unit), account, unit_calls_);
}

void Aggregate::keep_exemplars(const attribute::Account& account, FigureSums& service, FigureSums& route) {
    KeptUnit kept;
    const bool focus = !options_.focus_route.empty() && account.unit.route == options_.focus_route;
    if (options_.keep_unit && *options_.keep_unit == account.unit.id) {
        wanted_ = kept = keep(account, kExchangesOfWanted);
    }
    if (service.slowest().wants(account)) {
        kept = kept ? kept : keep(account, kExchangesOfSlowest);
        service.slowest().add(kept);
    }
    if (route.slowest().wants(account)) {
        kept = kept ? kept : keep(account, focus ? kExchangesOfSlowest : kExchangesOfOthers);
        route.slowest().add(kept);
    }
    const std::size_t place = reservoir_.place();
    if (!reservoir_.full_at(place)) {
        reservoir_.put(place, kept ? kept : keep(account, kExchangesOfOthers));
    }
}

void Aggregate::count_load(const attribute::Account& account) {
    const request::Unit& unit = account.unit;
    if (unit.begin == Instant{} || unit.end <= unit.begin) {
        return;
    }
    timeline_.in_flight({unit.begin, unit.end});
    time_in_flight_ += account.wall();
    first_begin_ = std::min(first_begin_.value_or(unit.begin), unit.begin);
    last_end_ = std::max(last_end_, unit.end);
    if (unit.resources_known && unit.thread != ThreadId{} && unit.read_begin != Instant{}) {
        const auto known = workers_.find(unit.thread);
        const Duration busy = std::max(unit.end - std::max(unit.read_begin, unit.begin), Duration::zero());
        if (known != workers_.end()) {
            known->second += busy;
        } else if (workers_.size() < kMaximumWorkers) {
            workers_.emplace(unit.thread, busy);
        }
    }
}

void Aggregate::count_exchange(const attribute::OwnedExchange& owned) {
    EvidenceShare& share = coverage_.evidence[static_cast<std::size_t>(owned.evidence) % coverage_.evidence.size()];
    ++share.exchanges;
    coverage_.contradicted += owned.contradicted ? 1 : 0;
    if (owned.rule != 0 && owned.rule <= coverage_.rules.size()) {
        ++coverage_.rules[owned.rule - 1].calls;
        coverage_.rules[owned.rule - 1].on_path += owned.on_path;
    }
    share.time += call_length(owned.exchange);
    if (is_opaque(owned.exchange.protocol) && !owned.exchange.housekeeping) {
        opaque(owned.exchange.remote, false).on_path += owned.on_path;
    }
}

void Aggregate::stray(const attribute::OwnedExchange& exchange) {
    facts_.seen(std::max(exchange.exchange.sent, exchange.exchange.read_end));
    count_exchange(exchange);
}

OpaquePeer& Aggregate::opaque(const event::Endpoint& endpoint, bool incoming) {
    const std::string peer = peer_name(endpoint);
    OpaquePeer& line = peers_.at(std::make_pair(peer, incoming)).line;
    line.peer = peer;
    line.incoming = incoming;
    return line;
}

void Aggregate::connection(const net::ConnectionSummary& summary) {
    facts_.seen(summary.last_seen);
    ++coverage_.connections;
    coverage_.connections_older += summary.opened_before_attach ? 1 : 0;
    const std::uint64_t bytes = summary.bytes_read + summary.bytes_written;
    coverage_.bytes_moved += bytes;
    coverage_.bytes_not_captured += summary.bytes_not_captured;
    coverage_.bytes_lost += summary.bytes_lost;
    coverage_.lost_sync += summary.lost_sync;
    coverage_.arrivals_missed += summary.arrivals_missed;
    coverage_.retransmits += summary.retransmits;
    if (summary.local.address != summary.remote.address) {
        coverage_.retransmits_to_others += summary.retransmits;
    }
    if (is_opaque(summary.protocol)) {
        const bool incoming = summary.role == net::Role::server;
        OpaquePeer& line = opaque(incoming ? summary.local : summary.remote, incoming);
        ++line.connections;
        line.bytes += bytes;
    }
}

void Aggregate::fact(const event::Fact& fact) {
    facts_.seen(fact.at);
    facts_.on(fact);
}

void Aggregate::retransmit(const event::Retransmit&) {
    ++retransmits_;
}

void Aggregate::calls(std::span<const ts_call_count> counts) {
    for (const ts_call_count& count : counts) {
        if (count.call_class < coverage_.calls.size()) {
            coverage_.calls[count.call_class] += {count.calls, count.errors, count.nanoseconds, count.bytes};
        }
    }
}

void Aggregate::statistics(const event::Merge::Statistics& statistics) {
    coverage_.records = statistics.records;
    coverage_.lost = statistics.lost;
    coverage_.malformed = statistics.malformed;
    coverage_.unknown_kinds = statistics.unknown_kinds;
    coverage_.out_of_order = statistics.out_of_order;
}

void Aggregate::merge_routes(const RouteName& final_name) {
    std::vector<KeptUnit> kept = reservoir_.units();
    for (std::size_t i = 0; i < services_.count(); ++i) {
        const std::vector<KeptUnit>& slowest = services_.at(i).slowest().units();
        kept.insert(kept.end(), slowest.begin(), slowest.end());
    }
    services_.join();
    if (wanted_) {
        kept.push_back(wanted_);
    }
    Routes renamed(options_.routes);
    const auto take = [&](RouteSums& line, RouteSums&& sums) {
        if (sums.sums) {
            kept.insert(kept.end(), sums.sums->slowest().units().begin(), sums.sums->slowest().units().end());
        }
        line.partial = line.partial || sums.partial;
        line.fold(std::move(sums));
    };
    for (auto& [key, sums] : routes_.lines()) {
        const std::string name = final_name(key.method, key.route);
        take(renamed.at(RouteView{services_.representative(key.service), key.kind, key.method, name}), std::move(sums));
    }
    background_.rename(final_name, [this](std::size_t service) { return services_.representative(service); });
    if (routes_.other()) {
        renamed.fold_away(std::move(*routes_.other()), routes_.folded());
    }
    routes_ = std::move(renamed);
    // The lists share units, and renaming twice need not give what renaming once does.
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    for (const KeptUnit& unit : kept) {
        unit->account.unit.route = final_name(unit->account.unit.method, unit->account.unit.route);
    }
}

void Aggregate::detached() {
    if (first_begin_) {
        load_time_ += last_end_ - *first_begin_;
    }
    first_begin_.reset();
    last_end_ = {};
}

void Aggregate::finish_load(Model& model) const {
    const Duration load_time = load_time_ + (first_begin_ ? last_end_ - *first_begin_ : Duration{});
    const auto window = static_cast<double>(load_time.count());
    model.load.in_flight = window > 0 ? static_cast<double>(time_in_flight_.count()) / window : 0;
    Duration busy{};
    for (const auto& [thread, time] : workers_) {
        busy += time;
    }
    // A thread that served several units at a time would be busy for longer than there was time.
    const double occupancy =
        workers_.empty() || window <= 0 ? 0 : static_cast<double>(busy.count()) / (window * static_cast<double>(workers_.size()));
    model.load.workers = workers_.size();
    model.load.occupancy = std::min(occupancy, 1.0);
}

void Aggregate::finish_routes(Model& model) {
    routes_.settle();
    model.routes_folded = routes_.folded();
    for (auto& [key, sums] : routes_.lines()) {
        RouteLine line{.service = services_.line_of(key.service),
                       .partial = sums.partial,
                       .kind = key.kind,
                       .method = key.method,
                       .route = key.route,
                       .figures = {}};
        line.figures = sums.sums->finish();
        model.routes.push_back(std::move(line));
    }
    std::stable_sort(model.routes.begin(), model.routes.end(),
                     [](const RouteLine& a, const RouteLine& b) { return a.figures.ledger.wall > b.figures.ledger.wall; });
    if (routes_.other() && routes_.other()->sums) {
        RouteLine line;
        line.other = true;
        line.figures = routes_.other()->sums->finish();
        model.routes.push_back(std::move(line));
    }
}

void Aggregate::finish_coverage(Model& model) {
    coverage_.retransmits = std::max(coverage_.retransmits, retransmits_);
    peers_.settle();
    for (const auto& [key, peer] : peers_.lines()) {
        coverage_.opaque.push_back(peer.line);
    }
    std::stable_sort(coverage_.opaque.begin(), coverage_.opaque.end(),
                     [](const OpaquePeer& a, const OpaquePeer& b) { return a.bytes > b.bytes; });
    if (peers_.other()) {
        coverage_.opaque.push_back(peers_.other()->line);
        coverage_.opaque.back().peer = "others";
        coverage_.opaque_folded = peers_.folded();
    }
    model.coverage = std::move(coverage_);
}

Model Aggregate::finish() {
    Model model;
    finish_coverage(model);
    facts_.finish(model);
    finish_load(model);
    services_.finish(model);
    finish_routes(model);
    model.background = background_.finish([this](std::size_t service) { return services_.line_of(service); });
    model.series = timeline_.series();
    std::vector<KeptUnit> sample = reservoir_.units();
    std::sort(sample.begin(), sample.end(),
              [](const KeptUnit& a, const KeptUnit& b) { return a->account.unit.id < b->account.unit.id; });
    model.sample.assign(sample.begin(), sample.end());
    model.wanted = wanted_;
    model.findings = find_all(model);
    return model;
}

}  // namespace timesink::analyze
