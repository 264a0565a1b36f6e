#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "analyze/bounded_lines.hpp"
#include "analyze/figure_sums.hpp"
#include "analyze/model.hpp"
#include "analyze/unit_calls.hpp"

namespace timesink::analyze {

/// Adds up background work by the routes of its requests. Apart from all other figures: its time is no client's, and a task that
/// outlives its request by seconds would drown what requests waited for. Owned by the Aggregate; bounded by kMostRoutes.
class BackgroundSums {
public:
    static constexpr std::size_t kMostRoutes = 100;
    static constexpr std::size_t kCallsOfRoute = 16;

    BackgroundSums();

    /// `service`: of its request; `calls` have been read from it.
    void add(std::size_t service, const attribute::Account& account, const UnitCalls& calls);
    void left_out() { ++excluded_; }
    /// Lines that get the same name, or service, become one. Once, before finish.
    using RouteName = std::function<std::string(std::string_view method, std::string_view route)>;
    using ServiceNumber = std::function<std::size_t(std::size_t service)>;
    void rename(const RouteName& final_name, const ServiceNumber& final_service);
    /// Once; `line_of` gives a service's place in the model.
    [[nodiscard]] Background finish(const ServiceNumber& line_of);

private:
    struct View {
        std::size_t service = 0;
        std::string_view method;
        std::string_view route;
        friend auto operator<=>(const View&, const View&) = default;  // NOLINT(modernize-use-nullptr)
    };
    struct Key {
        std::size_t service;
        std::string method;
        std::string route;
        explicit Key(const View& view) : service(view.service), method(view.method), route(view.route) {}
        [[nodiscard]] View view() const { return {service, method, route}; }
    };
    struct Less {
        using is_transparent = void;
        static View view(const View& line) { return line; }
        static View view(const Key& line) { return line.view(); }
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return view(a) < view(b);
        }
    };
    struct Line {
        std::optional<FigureSums> sums;
        bool partial = false;
        Line();  // not inline: clang needs it before the enclosing class is complete
        [[nodiscard]] Duration weight() const { return sums ? sums->wall() : Duration{}; }
        void fold(Line&& other);
    };
    using Lines = BoundedLines<Key, Line, Less>;

    FigureSums total_;
    Lines lines_;
    std::uint64_t excluded_ = 0;
};

}  // namespace timesink::analyze
