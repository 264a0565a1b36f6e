#include "attribute/forwarded_owners.hpp"

#include <gtest/gtest.h>

#include <string>

#include "request/statement.hpp"

namespace timesink::attribute {
namespace {

constexpr ProcessId kProcess{10};

class ForwardedOwnersTest : public ::testing::Test {
protected:
    static request::Unit unit(std::uint64_t id, const std::string& path) {
        request::Unit made;
        made.id = UnitId{id};
        made.process = kProcess;
        made.protocol = "http";
        made.method = "GET";
        made.path = path;
        return made;
    }
    void begin(std::uint64_t id, const std::string& path) { owners_.began(unit(id, path)); }
    void end(std::uint64_t id, const std::string& path) { owners_.ended(unit(id, path)); }
    UnitId send(const std::string& path, ProcessId process = kProcess) {
        request::Exchange exchange;
        exchange.process = process;
        exchange.likeness = request::fingerprint_of("GET " + path);
        return owners_.of(exchange);
    }

    ForwardedOwners owners_;
};

TEST_F(ForwardedOwnersTest, AProxySendsWhatItWasAsked) {
    begin(100, "/learned");
    for (std::uint64_t i = 1; i < ForwardedOwners::kSeen; ++i) {
        EXPECT_EQ(send("/learned"), UnitId{}) << "a few times may be chance";
    }
    begin(1, "/a");
    begin(2, "/b");
    EXPECT_EQ(send("/b"), UnitId{2});
    EXPECT_EQ(send("/a"), UnitId{1});
    EXPECT_EQ(send("/a", ProcessId{11}), UnitId{}) << "another process";
}

TEST_F(ForwardedOwnersTest, OfSeveralThatAskTheSameItIsTheOneThatWaits) {
    begin(100, "/learned");
    for (std::uint64_t i = 1; i < ForwardedOwners::kSeen; ++i) {
        send("/learned");
    }
    begin(1, "/a");
    EXPECT_EQ(send("/a"), UnitId{1});
    begin(2, "/a");
    EXPECT_EQ(send("/a"), UnitId{2});
    begin(3, "/a");
    begin(4, "/a");
    EXPECT_EQ(send("/a"), UnitId{}) << "either may be";
    end(1, "/a");
    end(2, "/a");
    end(3, "/a");
    EXPECT_EQ(send("/a"), UnitId{4});
}

TEST_F(ForwardedOwnersTest, AServiceThatAsksForOtherThingsIsNoProxy) {
    begin(1, "/a");
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(send("/v1/pay"), UnitId{});
    }
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(send("/a"), UnitId{});
    }
}

}  // namespace
}  // namespace timesink::attribute
