#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "analyze/aggregate.hpp"
#include "analyze/model.hpp"
#include "attribute/account.hpp"
#include "base/result.hpp"
#include "request/route.hpp"

namespace timesink::analyze {

/// The whole analysis of a run: raw records in, the report's model out. A pure function of the records and the options, whoever
/// drained them (live/) or stored them (capture/):
///
///   records → event::Merge → net::Connections → request::Tracker → attribute::Attribution → Aggregate → Model
///
/// Owned by a command; used from one thread.
class Analysis {
public:
    /// `routes`: the user's patterns, ahead of the folding rules. `accounts`: further receivers of every account and stray
    /// exchange, called after the aggregate, in order; not owned, may be null.
    Analysis(const Options& options, request::RoutePatterns routes, attribute::AccountSink* accounts = nullptr);
    ~Analysis();
    Analysis(const Analysis&) = delete;
    Analysis& operator=(const Analysis&) = delete;

    /// Whole records in drain order. An Error ends the run: what was understood before it stands, and finish() reports it.
    Status push(std::span<const std::byte> records);
    /// Ends everything that is open and adds up. Once, as the last call.
    [[nodiscard]] Model finish();
    /// What was learned of routes, for another run. Behind finish().
    [[nodiscard]] std::vector<attribute::RouteModel> models() const;

private:
    struct Flow;
    std::unique_ptr<Flow> flow_;
};

}  // namespace timesink::analyze
