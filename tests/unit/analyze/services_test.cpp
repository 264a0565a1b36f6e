#include "analyze/services.hpp"

#include <gtest/gtest.h>

#include "support/account_builder.hpp"

namespace timesink::analyze {
namespace {

using test::at;
using test::ms;

class ServicesTest : public ::testing::Test {
protected:
    void add(std::uint16_t port, std::uint32_t process, Duration length, std::uint32_t network_namespace = 1) {
        ++units_;
        test::AccountBuilder builder(units_, at(ms(static_cast<std::int64_t>(units_) * 1000)), "GET", "/");
        builder.unit().server.port = port;
        builder.unit().process = ProcessId{process};
        builder.unit().network_namespace = network_namespace;
        builder.spend(attribute::Cause::cpu, length);
        const attribute::Account account = builder.done();
        calls_.read(account);
        services_.at(services_.index_of(account.unit)).add(account, calls_);
    }
    Model finish() {
        Model model;
        model.run.processes.push_back(
            {.pid = 10, .parent = 0, .comm = "gateway", .command_line = {}, .runtime = {}, .runtime_version = {}});
        services_.finish(model);
        return model;
    }
    Services services_{FigureSums::Limits{}};
    UnitCalls calls_;
    std::uint64_t units_ = 0;
};

TEST_F(ServicesTest, OneServerIsTheTotal) {
    add(8000, 10, ms(1));
    add(8000, 11, ms(2));
    const Model model = finish();
    EXPECT_TRUE(model.services.empty());
    EXPECT_EQ(model.total.ledger.units, 2U);
    EXPECT_EQ(model.total.ledger.wall, ms(3));
}

TEST_F(ServicesTest, EachServerHasItsOwnFiguresAndTheTotalHasAll) {
    add(8000, 10, ms(1));
    add(8001, 20, ms(5));
    const Model model = finish();
    ASSERT_EQ(model.services.size(), 2U);
    EXPECT_EQ(model.services[0].ports, std::vector<std::uint16_t>{8001});
    EXPECT_EQ(model.services[0].figures.ledger.wall, ms(5));
    EXPECT_EQ(model.services[1].name, "gateway :8000");
    EXPECT_EQ(model.total.ledger.wall, ms(6));
    EXPECT_EQ(model.total.latency.count, 2U);
}

TEST_F(ServicesTest, PortsOfOneProcessAreOneServer) {
    add(80, 10, ms(1));
    add(443, 11, ms(1));
    add(8001, 20, ms(1));
    add(443, 10, ms(1));
    const Model model = finish();
    ASSERT_EQ(model.services.size(), 2U);
    EXPECT_EQ(model.services[0].ports, (std::vector<std::uint16_t>{80, 443}));
    EXPECT_EQ(model.services[0].pids, (std::vector<std::uint32_t>{10, 11}));
    EXPECT_EQ(model.services[0].figures.ledger.units, 3U);
}

TEST_F(ServicesTest, ThePortOfAnotherContainerIsAnotherServer) {
    add(80, 30, ms(1), 1);
    add(80, 40, ms(2), 2);
    const Model model = finish();
    ASSERT_EQ(model.services.size(), 2U);
    EXPECT_EQ(model.services[0].name, ":80");
    EXPECT_EQ(model.services[1].name, ":80 #2");
}

TEST_F(ServicesTest, BeyondItsBoundTheyAreOneLine) {
    for (std::uint16_t port = 1; port <= 100; ++port) {
        add(port, 1000U + port, ms(1));
    }
    const Model model = finish();
    EXPECT_EQ(model.services.size(), Services::kMost);
    EXPECT_TRUE(model.services.front().other);
    EXPECT_EQ(model.services.front().figures.ledger.units, 100U - (Services::kMost - 1));
    EXPECT_EQ(model.total.ledger.wall, ms(100));
}

}  // namespace
}  // namespace timesink::analyze
