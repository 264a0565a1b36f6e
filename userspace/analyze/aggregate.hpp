#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "analyze/background_sums.hpp"
#include "analyze/bounded_lines.hpp"
#include "analyze/exemplars.hpp"
#include "analyze/figure_sums.hpp"
#include "analyze/model.hpp"
#include "analyze/run_facts.hpp"
#include "analyze/services.hpp"
#include "analyze/timeline.hpp"
#include "analyze/unit_calls.hpp"
#include "attribute/account.hpp"
#include "attribute/route_model.hpp"
#include "event/event.hpp"
#include "event/merge.hpp"
#include "net/summary.hpp"
#include "rules/rules.hpp"

namespace timesink::analyze {

struct Options {
    attribute::EvidenceSet trusted = attribute::EvidenceSet().set();     ///< see attribute::Attribution
    std::shared_ptr<const rules::RuleSet> user_rules{};                  ///< the user's, ahead of the defaults; null: none
    std::shared_ptr<const std::vector<attribute::RouteModel>> models{};  ///< what other runs learned of routes; null: nothing
    std::size_t slowest = 20;                                            ///< units kept whole, of the run
    std::size_t slowest_of_route = 3;                                    ///< ditto, of each route
    std::size_t sample = 32;                                             ///< ditto, drawn at random
    std::optional<UnitId> keep_unit{};                                   ///< this one too
    std::string focus_route{};  ///< its slowest units are kept with all their calls, `slowest` of them
    std::size_t routes = 300;   ///< lines in the table; twice as many while it runs
    std::size_t shapes = 500;   ///< ditto, of calls
    std::size_t shapes_of_route = 64;
};

/// Adds up everything that a report says, in bounded memory: fed by the analysis while the run lasts, asked once at its end.
/// Excluded units are counted by their reason and are in no figure. Deterministic: equal inputs in equal order give an equal
/// Model. Owned by the analysis, which calls it from one thread.
class Aggregate final : public attribute::AccountSink, public net::ConnectionSink {
public:
    explicit Aggregate(Options options = {});
    Aggregate(const Aggregate&) = delete;  // facts_ refers to timeline_
    Aggregate& operator=(const Aggregate&) = delete;

    void account(const attribute::Account& account) override;
    void stray(const attribute::OwnedExchange& exchange) override;
    void connection(const net::ConnectionSummary& summary) override;
    void fact(const event::Fact& fact);
    void retransmit(const event::Retransmit& retransmit);
    /// The counts of every Call event: the run's totals by class, io_uring among them.
    void calls(std::span<const ts_call_count> counts);
    void detached();                                              ///< every account of this attach has been given
    void statistics(const event::Merge::Statistics& statistics);  ///< once, at the end

    /// Renames routes, once, before finish: lines that get the same name become one. The name of a kept unit changes with it.
    using RouteName = std::function<std::string(std::string_view method, std::string_view route)>;
    void merge_routes(const RouteName& final_name);

    /// Everything that was added up, with the findings. Once, as the last call: the sums move into the Model.
    [[nodiscard]] Model finish();

private:
    struct RouteView {
        std::size_t service = 0;
        request::UnitKind kind = request::UnitKind::request;
        std::string_view method;
        std::string_view route;
        friend auto operator<=>(const RouteView&, const RouteView&) = default;  // NOLINT(modernize-use-nullptr)
    };
    struct RouteKey {
        std::size_t service;
        request::UnitKind kind;
        std::string method;
        std::string route;
        explicit RouteKey(const RouteView& view)
            : service(view.service), kind(view.kind), method(view.method), route(view.route) {}
        [[nodiscard]] RouteView view() const { return {service, kind, method, route}; }
    };
    struct RouteLess {
        using is_transparent = void;
        static RouteView view(const RouteView& route) { return route; }
        static RouteView view(const RouteKey& route) { return route.view(); }
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return view(a) < view(b);
        }
    };
    // Constructors of what stands in a table are not inline: clang needs them before the enclosing class is complete.
    struct RouteSums {
        std::optional<FigureSums> sums;
        bool partial = false;
        RouteSums();
        [[nodiscard]] Duration weight() const { return sums ? sums->wall() : Duration{}; }
        void fold(RouteSums&& other);
    };
    struct Peer {
        OpaquePeer line;
        bool partial = false;
        Peer();
        [[nodiscard]] std::pair<std::uint64_t, Duration> weight() const { return {line.bytes, line.on_path}; }
        void fold(Peer&& other);
    };
    using Routes = BoundedLines<RouteKey, RouteSums, RouteLess>;
    using Peers = BoundedLines<std::pair<std::string, bool>, Peer, std::less<>>;

    [[nodiscard]] FigureSums::Limits route_limits(std::string_view route) const;
    void keep_exemplars(const attribute::Account& account, FigureSums& service, FigureSums& route);
    void count_exchange(const attribute::OwnedExchange& exchange);
    void add_background(const attribute::Account& account, bool wanted);
    void count_load(const attribute::Account& account);
    OpaquePeer& opaque(const event::Endpoint& endpoint, bool incoming);
    void finish_load(Model& model) const;
    void finish_routes(Model& model);
    void finish_coverage(Model& model);

    Options options_;
    Timeline timeline_;
    RunFacts facts_;
    UnitCalls unit_calls_;
    Services services_;
    Routes routes_;
    BackgroundSums background_;
    Peers peers_;
    Coverage coverage_;
    std::uint64_t retransmits_ = 0;
    Reservoir reservoir_;
    KeptUnit wanted_;
    // Load: of all units, excluded ones too
    Duration time_in_flight_{};
    std::optional<Instant> first_begin_;  // of this attach
    Instant last_end_{};
    Duration load_time_{};                  // of those before it
    std::map<ThreadId, Duration> workers_;  ///< time with a unit; bounded
};

}  // namespace timesink::analyze
