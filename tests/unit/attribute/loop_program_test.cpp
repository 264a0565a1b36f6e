#include "attribute/loop_program.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

request::Exchange asks(std::uint64_t fingerprint) {
    request::Exchange exchange;
    exchange.protocol = "postgresql";
    exchange.fingerprint = fingerprint;
    return exchange;
}

event::Endpoint at_port(std::uint16_t port) {
    return {"127.0.0.1", port};
}

/// What a run learns in which each unit of the route asks 5, then 6, of a server at this port.
std::vector<RouteModel> learned(std::uint16_t port) {
    LoopProgram program(nullptr);
    const infer::RouteId route = program.route("GET /a").named;
    const infer::PoolId pool = program.pool("postgresql", at_port(port));
    std::vector<infer::Step> steps;
    for (const std::uint64_t fingerprint : {5, 6}) {
        const infer::Shape shape = program.shape(asks(fingerprint), pool);
        program.model().place(shape, pool);
        steps.push_back(program.model().list(std::vector<infer::Shape>{shape}));
    }
    steps.push_back(infer::Step::respond);
    program.model().learn_path(route, steps, {});
    return program.models();
}

double foresees_first(LoopProgram& program, infer::PoolId pool, std::uint64_t fingerprint) {
    const infer::History begin = infer::History::begin(program.route("GET /a").stands_for);
    const std::vector<infer::Shape> first{program.shape(asks(fingerprint), pool)};
    return program.model().begins(begin, first);
}

TEST(LoopProgram, IsToldInTermsThatMeanTheSameInAnotherRun) {
    const std::vector<RouteModel> models = learned(5432);
    ASSERT_EQ(models.size(), 1);
    EXPECT_EQ(models[0].route, "GET /a");
    ASSERT_EQ(models[0].pools.size(), 1);
    EXPECT_EQ(models[0].pools[0].remote, at_port(5432));
    ASSERT_EQ(models[0].paths.size(), 1);
    ASSERT_EQ(models[0].paths[0].steps.size(), 3);
    EXPECT_EQ(models[0].paths[0].steps[1].statements[0].fingerprint, 6);
    EXPECT_EQ(models[0].paths[0].steps[2].kind, RouteModel::Step::Kind::respond);
}

TEST(LoopProgram, KnowsWhatItWasGivenThoughTheServerHasAnotherAddressNow) {
    const auto given = std::make_shared<const std::vector<RouteModel>>(learned(5432));
    LoopProgram before_the_route(given);
    const infer::PoolId early = before_the_route.pool("postgresql", at_port(6000));
    EXPECT_GT(foresees_first(before_the_route, early, 5), 0.5);
    LoopProgram before_the_pool(given);
    (void)before_the_pool.route("GET /a");
    const infer::PoolId late = before_the_pool.pool("postgresql", at_port(6000));
    EXPECT_GT(foresees_first(before_the_pool, late, 5), 0.5);
    EXPECT_LT(foresees_first(before_the_pool, late, 6), 0.3);
}

TEST(LoopProgram, AServerOfAnotherProtocolIsNotTakenForTheOneThatIsKnown) {
    LoopProgram program(std::make_shared<const std::vector<RouteModel>>(learned(5432)));
    (void)program.route("GET /a");
    const infer::PoolId redis = program.pool("redis", at_port(6379));
    EXPECT_LT(foresees_first(program, redis, 5), 0.5);
}

TEST(LoopProgram, RoutesThatNobodyToldOfStartFromNothing) {
    LoopProgram program(std::make_shared<const std::vector<RouteModel>>(learned(5432)));
    EXPECT_FALSE(program.model().knows(program.route("GET /b").stands_for));
    EXPECT_TRUE(program.model().knows(program.route("GET /a").stands_for));
}

TEST(LoopProgram, AWordInAPathIsDataWhereTheRoutesThatDifferInItDoTheSame) {
    LoopProgram program(nullptr);
    const infer::PoolId pool = program.pool("postgresql", at_port(5432));
    const auto goes = [&](const std::string& name, std::uint64_t fingerprint) {
        const LoopProgram::Route route = program.route(name);
        const infer::Shape shape = program.shape(asks(fingerprint), pool);
        program.model().place(shape, pool);
        const std::vector<infer::Step> steps{program.model().list(std::vector<infer::Shape>{shape}), infer::Step::respond};
        program.model().learn_path(route.stands_for, steps, {}, route.named);
    };
    for (const std::string word : {"ann", "bob", "eve"}) {
        goes("GET /user/" + word + "/posts", 5);
        goes("GET /user/" + word + "/likes", 6);
        goes("GET /blog/" + word, 7);
    }
    const infer::RouteId posts = program.route("GET /user/zoe/posts").stands_for;
    EXPECT_EQ(posts, program.route("GET /user/ann/posts").stands_for);
    EXPECT_EQ(posts, program.route("GET /user/{name}/posts").stands_for);  // as a report folds it later
    EXPECT_NE(posts, program.route("GET /user/zoe/likes").stands_for);
    EXPECT_NE(posts, program.route("POST /user/zoe/posts").stands_for);
    EXPECT_TRUE(program.model().knows(program.route("GET /blog/zoe").stands_for));
    EXPECT_FALSE(program.model().knows(program.route("GET /user/zoe").stands_for));
}

}  // namespace
}  // namespace timesink::attribute
