#include "infer/notes.hpp"

#include <gmock/gmock.h>

namespace timesink::infer {
namespace {

using ::testing::ElementsAre;

Note told(std::uint64_t serial, Chain chain, double probability = 1) {
    Note note;
    note.serial = serial;
    note.exchange = ExchangeId{serial};
    note.chain = chain;
    note.probability = probability;
    return note;
}

std::vector<std::uint64_t> serials(const Notes& notes) {
    std::vector<const Note*> listed;
    notes.list(listed);
    std::vector<std::uint64_t> found;
    for (const Note* const note : listed) {
        found.push_back(note->serial);
    }
    return found;
}

constexpr Chain kOne{2};
constexpr Chain kOther{4};

TEST(Notes, ACopyGoesItsOwnWay) {
    Notes first;
    first.push_back(told(1, kOne));
    Notes second = first;
    EXPECT_TRUE(second.is(first));
    first.push_back(told(2, kOne));
    second.push_back(told(3, kOne));
    EXPECT_FALSE(second.is(first));
    EXPECT_THAT(serials(first), ElementsAre(1, 2));
    EXPECT_THAT(serials(second), ElementsAre(1, 3));
    EXPECT_EQ(second.size(), 2);
}

TEST(Notes, WhatIsForgottenIsForgottenByAllThatShareIt) {
    Notes first;
    for (std::uint64_t serial = 1; serial <= 5; ++serial) {
        first.push_back(told(serial, kOne));
    }
    Notes second = first;
    second.push_back(told(6, kOne));
    EXPECT_EQ(second.serial(0), 6);
    EXPECT_EQ(second.serial(3), 3);
    const Notes past = second.until(3);
    first.forget(3);
    second.forget(3);
    EXPECT_THAT(serials(past), ElementsAre(1, 2, 3));
    EXPECT_THAT(serials(first), ElementsAre(4, 5));
    EXPECT_EQ(first.size(), 2);
    EXPECT_THAT(serials(second), ElementsAre(4, 5, 6));
    EXPECT_EQ(second.size(), 3);
    first.forget(5);
    EXPECT_TRUE(first.empty());
    EXPECT_EQ(first.size(), 0);
}

TEST(Notes, UnitedEachClaimCountsByItsShareAndWhatIsSharedStays) {
    Notes ours;
    ours.push_back(told(1, kOne, 0.5));
    Notes theirs = ours;
    ours.push_back(told(2, kOne));
    ours.push_back(told(3, kOne));
    theirs.push_back(told(2, kOne, 0.5));
    theirs.push_back(told(3, kOther));
    theirs.push_back(told(4, kOther));  // of which we say nothing
    ours.unite(theirs, 0.75);
    std::vector<const Note*> listed;
    ours.list(listed);
    ASSERT_EQ(listed.size(), 3);
    EXPECT_EQ(ours.size(), 3);
    EXPECT_EQ(listed[0]->probability, 0.5);
    EXPECT_EQ(listed[1]->probability, 0.875);
    EXPECT_EQ(listed[2]->probability, 0.75);
    EXPECT_EQ(listed[2]->runner_up, kOther);
    EXPECT_EQ(listed[2]->runner_up_probability, 0.25);
    theirs.list(listed);
    ASSERT_EQ(listed.size(), 4);
    EXPECT_EQ(listed[1]->probability, 0.5) << "the other is not changed";
}

TEST(Notes, UnitedWhatTheOtherDoesNotSayIsOursAloneByItsShare) {
    Notes ours;
    ours.push_back(told(1, kOne));
    ours.unite(Notes{}, 0.5);
    std::vector<const Note*> listed;
    ours.list(listed);
    ASSERT_EQ(listed.size(), 1);
    EXPECT_EQ(listed[0]->probability, 0.5);
    EXPECT_EQ(listed[0]->runner_up_probability, 0);
}

}  // namespace
}  // namespace timesink::infer
