#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "attribute/route_model.hpp"
#include "event/event.hpp"
#include "infer/model.hpp"
#include "request/exchange.hpp"

namespace timesink::attribute {

/// What the event loops of one program know together: what its routes do, by what numbers the inference calls routes, pools and
/// statements. The workers of a cluster are one program, as are the threads of a process. Owned by LoopOwners.
///
/// Bounded: kMostRoutes, kMostPools, kMostShapes; what is beyond shares a number, or is not kept for later runs.
class LoopProgram {
public:
    static constexpr std::size_t kMostRoutes = 4096;
    static constexpr std::size_t kMostPools = 256;
    static constexpr std::size_t kMostShapes = 65536;

    /// `given`: of other runs; null: none.
    explicit LoopProgram(std::shared_ptr<const std::vector<RouteModel>> given) : given_(std::move(given)) {}

    struct Route {
        infer::RouteId stands_for{};  ///< what the model knows it as
        infer::RouteId named{};
    };
    /// "GET /orders/{id}".
    Route route(const std::string& name);
    infer::PoolId pool(const std::string& protocol, const event::Endpoint& remote);
    infer::Shape shape(const request::Exchange& exchange, infer::PoolId pool);
    /// Of what has no text, by how its answer is described; zero: it is not.
    infer::Shape shape_of_columns(const request::Exchange& exchange, infer::PoolId pool);
    infer::Model& model() { return model_; }
    /// What has been learned, in order of the routes' appearance.
    [[nodiscard]] std::vector<RouteModel> models() const;

private:
    struct Statement {
        infer::PoolId pool{};
        std::uint64_t fingerprint = 0;
    };
    infer::RouteId number_of(std::string name);
    [[nodiscard]] std::vector<infer::RouteId> families_of(const std::string& name);
    void take_over(infer::RouteId route, const RouteModel& given);
    infer::PoolId pool_of(const RouteModel::Pool& given);
    infer::Shape shape_of(infer::PoolId pool, std::uint64_t fingerprint);
    [[nodiscard]] bool write_path(RouteModel& into, std::map<infer::PoolId, std::uint32_t>& pools,
                                  const infer::KnownPath& path) const;

    using PoolName = std::pair<std::string, event::Endpoint>;

    std::shared_ptr<const std::vector<RouteModel>> given_;
    infer::Model model_;
    std::map<std::string, infer::RouteId> routes_;
    std::vector<std::string> route_names_;
    std::map<PoolName, infer::PoolId> pools_;
    std::vector<PoolName> pool_names_;               // by number
    std::map<PoolName, infer::PoolId> given_pools_;  // as models of other runs call them
    std::vector<bool> awaited_;                      // by number: known of a model only, its server may have another address now
    std::unordered_map<infer::Shape, Statement> statements_;  // asked by key only
};

}  // namespace timesink::attribute
