#include "attribute/propagated_owners.hpp"

#include <gtest/gtest.h>

namespace timesink::attribute {
namespace {

constexpr ProcessId kServer{10};
constexpr ProcessId kChild{20};
constexpr ProcessId kSibling{30};

class PropagatedOwnersTest : public ::testing::Test {
protected:
    static request::Unit unit(std::uint64_t id, const std::string& request_id, ProcessId process = kServer) {
        request::Unit made;
        made.id = UnitId{id};
        made.process = process;
        made.attributes.emplace_back("http.request.header.x-request-id", request_id);
        return made;
    }
    [[nodiscard]] UnitId of(const std::string& request_id, ProcessId process = kServer,
                            const std::string& correlation = {}) const {
        request::Exchange exchange;
        exchange.process = process;
        exchange.attributes.emplace_back("http.request.header.x-request-id", request_id);
        exchange.attributes.emplace_back("http.request.header.x-correlation-id", correlation);
        return owners_.of(exchange);
    }
    PropagatedOwners owners_;
};

TEST_F(PropagatedOwnersTest, TheUnitWhoseIdTheCallCarries) {
    owners_.began(unit(1, "request-1"));
    owners_.began(unit(2, "request-2"));
    EXPECT_EQ(of("request-1"), UnitId{1});
    EXPECT_EQ(of("request-2"), UnitId{2});
    EXPECT_EQ(of("request-3"), UnitId{});
}

TEST_F(PropagatedOwnersTest, TwoWithTheSameIdSayNothing) {
    owners_.began(unit(1, "request-1"));
    owners_.began(unit(2, "request-1"));
    EXPECT_EQ(of("request-1"), UnitId{});
    owners_.ended(unit(2, "request-1"));
    EXPECT_EQ(of("request-1"), UnitId{1});
}

TEST_F(PropagatedOwnersTest, AnsweredUnitsAreForgotten) {
    owners_.began(unit(1, "request-1"));
    owners_.ended(unit(1, "request-1"));
    EXPECT_EQ(of("request-1"), UnitId{});
}

TEST_F(PropagatedOwnersTest, IdsThatSpeakForDifferentUnitsSayNothing) {
    owners_.began(unit(1, "request-1"));
    owners_.began(unit(2, "request-2"));
    EXPECT_EQ(of("request-1", kServer, "request-2"), UnitId{});
    EXPECT_EQ(of("request-1", kServer, "made-here"), UnitId{1});
}

TEST_F(PropagatedOwnersTest, AnotherProcessOfTheLineMayBeAskedButNoSiblings) {
    owners_.descends(kChild, kServer);
    owners_.descends(kSibling, kServer);
    owners_.began(unit(1, "request-1"));
    EXPECT_EQ(of("request-1", kChild), UnitId{1});
    owners_.began(unit(2, "request-2", kChild));
    EXPECT_EQ(of("request-2", kServer), UnitId{2});
    EXPECT_EQ(of("request-2", kSibling), UnitId{});
    EXPECT_EQ(of("request-1", ProcessId{99}), UnitId{});
}

TEST_F(PropagatedOwnersTest, TheProcessItselfComesFirst) {
    owners_.descends(kChild, kServer);
    owners_.began(unit(1, "request-1"));
    owners_.began(unit(2, "request-1", kChild));
    EXPECT_EQ(of("request-1", kChild), UnitId{2});
    EXPECT_EQ(of("request-1"), UnitId{1});
}

TEST_F(PropagatedOwnersTest, AncestorsInARingHaveAnEnd) {
    owners_.descends(kChild, kServer);
    owners_.descends(kServer, kChild);
    owners_.began(unit(1, "request-1", kSibling));
    EXPECT_EQ(of("request-1", kServer), UnitId{});
}

}  // namespace
}  // namespace timesink::attribute
