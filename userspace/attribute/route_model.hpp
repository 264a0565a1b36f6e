#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "event/event.hpp"

namespace timesink::attribute {

/// What units of a route do, as one run learned it and another may be given it: nothing in it depends on the numbers of a run.
struct RouteModel {
    struct Pool {
        std::string protocol;
        event::Endpoint remote;
    };
    struct Statement {
        std::uint32_t pool = 0;  ///< index in `pools`
        std::uint64_t fingerprint = 0;
    };
    struct Step {
        enum class Kind : std::uint8_t { statements, sleep, join, respond };
        Kind kind = Kind::statements;
        std::vector<Statement> statements;  ///< asked at once
    };
    struct Slept {
        std::uint32_t step = 0;  ///< index in `steps`
        Duration least{};
        Duration most{};
    };
    struct Path {
        std::vector<Step> steps;
        double times = 0;  ///< as many units went this way
        std::vector<Slept> slept;
    };
    std::string route;  ///< method and folded path
    std::vector<Pool> pools;
    std::vector<Path> paths;
};

}  // namespace timesink::attribute
