#include "attribute/objects.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "attribute/rules.hpp"

namespace timesink::attribute {
namespace {

using s3::Moves;
using s3::Multipart;

Instant ms(std::int64_t at) {
    return Instant(std::chrono::milliseconds(at));
}

/// The exchanges of a unit, each of 10 ms, one after the other unless `at` says when.
class Unit {
public:
    OwnedExchange& get(std::uint64_t bytes, const std::string& type = "image/png", int status = 200) {
        OwnedExchange& owned = add("GET");
        owned.exchange.status = status;
        owned.exchange.body_in = owned.exchange.bytes_in = bytes;
        owned.exchange.attributes.emplace_back("http.response.header.content-type", type);
        classify(owned, own_rules.get());
        return owned;
    }
    OwnedExchange& storage(const std::string& operation, std::uint64_t key, std::uint64_t bytes,
                           Multipart multipart = Multipart::none, std::uint64_t upload = 0, int status = 200) {
        OwnedExchange& owned = add(operation);
        owned.exchange.status = status;
        request::StorageCall call;
        call.operation = operation;
        call.object = key;
        call.size = bytes;
        call.multipart = multipart;
        call.upload = upload;
        call.moves = operation == "GetObject"                                   ? Moves::fetches
                     : operation == "PutObject" || multipart == Multipart::part ? Moves::stores
                                                                                : Moves::nothing;
        owned.exchange.storage = std::make_shared<const request::StorageCall>(call);
        classify(owned, own_rules.get());
        return owned;
    }
    OwnedExchange& put(std::uint64_t key, std::uint64_t bytes, int status = 200) {
        return storage("PutObject", key, bytes, Multipart::none, 0, status);
    }

    /// "image 1000 fetched stored: 0 1", …: the object, and the exchanges that belong to it.
    std::vector<std::string> objects() {
        std::vector<MovedObject> found;
        find_objects(exchanges, found);
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < found.size(); ++i) {
            std::string line = std::string(found[i].kind) + " " + std::to_string(found[i].bytes) +
                               (found[i].fetched ? " fetched" : "") + (found[i].stored ? " stored" : "") + ":";
            std::uint32_t count = 0;
            for (std::size_t at = 0; at < exchanges.size(); ++at) {
                if (exchanges[at].object == i + 1) {
                    line += " " + std::to_string(at);
                    ++count;
                }
            }
            EXPECT_EQ(count, found[i].exchanges);
            lines.push_back(line);
        }
        return lines;
    }

    std::vector<OwnedExchange> exchanges;
    std::int64_t now = 0;
    std::unique_ptr<rules::RuleSet> own_rules;

private:
    OwnedExchange& add(const std::string& operation) {
        OwnedExchange owned;
        request::Exchange& exchange = owned.exchange;
        exchange.id = ExchangeId{exchanges.size() + 1};
        exchange.protocol = "http";
        exchange.operation = operation;
        exchange.sent = exchange.sent_end = ms(now);
        exchange.arrived = exchange.arrived_end = exchange.read_end = ms(now + 8);
        exchange.complete = true;
        now += 10;
        exchanges.push_back(std::move(owned));
        return exchanges.back();
    }
};

using Lines = std::vector<std::string>;

TEST(Objects, ADownloadAndThePutOfAsManyBytesAreOne) {
    Unit unit;
    unit.get(529000);
    unit.put(1, 529000);
    unit.get(361000);
    unit.put(2, 361000);
    EXPECT_EQ(unit.objects(), (Lines{"image 529000 fetched stored: 0 1", "image 361000 fetched stored: 2 3"}));
}

TEST(Objects, DownloadsThatAreStoredLaterFindTheirPutsBySize) {
    Unit unit;
    unit.get(100000);
    unit.get(200000);
    unit.put(2, 200300);
    unit.put(1, 100000);
    EXPECT_EQ(unit.objects(), (Lines{"image 100000 fetched stored: 0 3", "image 200000 fetched stored: 1 2"}));
}

TEST(Objects, EqualSizesAreTakenInOrderAndOnce) {
    Unit unit;
    unit.get(100000);
    unit.get(100000);
    unit.put(1, 100000);
    unit.put(2, 100000);
    unit.put(3, 100000);
    EXPECT_EQ(unit.objects(),
              (Lines{"image 100000 fetched stored: 0 2", "image 100000 fetched stored: 1 3", "object 100000 stored: 4"}));
}

TEST(Objects, OtherSizesAndPutsAheadOfTheDownloadAreTheirOwn) {
    Unit unit;
    unit.put(1, 100000);
    unit.get(100000);
    unit.put(2, 120000);
    EXPECT_EQ(unit.objects(), (Lines{"object 100000 stored: 0", "image 100000 fetched: 1", "object 120000 stored: 2"}));
}

TEST(Objects, AStreamedCopyOverlapsItsDownload) {
    Unit unit;
    OwnedExchange& get = unit.get(100000);
    get.exchange.arrived = ms(2);
    unit.now = 5;
    unit.put(1, 100000);
    EXPECT_EQ(unit.objects(), (Lines{"image 100000 fetched stored: 0 1"}));
}

TEST(Objects, ASmallDownloadIsTransferOnlyIfItIsStored) {
    Unit unit;
    unit.get(3000);
    unit.get(5000);
    unit.put(1, 5000);
    EXPECT_EQ(unit.objects(), (Lines{"image 5000 fetched stored: 1 2"}));
    EXPECT_EQ(unit.exchanges[0].bucket, Bucket::provider);
    EXPECT_EQ(unit.exchanges[1].bucket, Bucket::transfer);
}

TEST(Objects, DocumentsAreNotObjects) {
    Unit unit;
    unit.get(5000, "application/json");
    unit.put(1, 5000);
    EXPECT_EQ(unit.objects(), (Lines{"object 5000 stored: 1"}));
    EXPECT_EQ(unit.exchanges[0].bucket, Bucket::provider);
}

TEST(Objects, ARuleOfTheUsersStands) {
    Unit unit;
    unit.own_rules = std::make_unique<rules::RuleSet>(
        rules::RuleSet::parse("[[rule]]\nbucket = \"internal\"\nmethod = \"GET\"\ntype = \"image/*\"\n", "r.toml").value());
    unit.get(5000);
    unit.put(1, 5000);
    EXPECT_EQ(unit.objects(), (Lines{"image 5000 fetched stored: 0 1"}));
    EXPECT_EQ(unit.exchanges[0].bucket, Bucket::provider);
    EXPECT_TRUE(unit.exchanges[0].internal);
    EXPECT_EQ(unit.exchanges[0].rule, 1U);
    EXPECT_EQ(causes_of(unit.exchanges[0]).first_byte, Cause::provider_internal);
    EXPECT_EQ(causes_of(unit.exchanges[1]).first_byte, Cause::transfer_storage);
}

TEST(Objects, AnUploadInPartsIsOneObject) {
    Unit unit;
    unit.storage("CreateMultipartUpload", 1, 0, Multipart::create, 7);
    unit.storage("CreateMultipartUpload", 1, 0, Multipart::create, 8);
    unit.storage("UploadPart", 1, 5000000, Multipart::part, 8);
    unit.storage("UploadPart", 1, 5000000, Multipart::part, 7);
    unit.storage("UploadPart", 1, 0, Multipart::part, 7, 503);
    unit.storage("UploadPart", 1, 1000, Multipart::part, 7);
    unit.storage("CompleteMultipartUpload", 1, 0, Multipart::complete, 7);
    unit.storage("AbortMultipartUpload", 1, 0, Multipart::abort, 8);
    EXPECT_EQ(unit.objects(), (Lines{"object 5001000 stored: 0 3 4 5 6", "object 5000000 stored: 1 2 7"}));
}

TEST(Objects, AnUploadWhoseIdWasNotSeenTakesThatOfItsParts) {
    Unit unit;
    unit.storage("CreateMultipartUpload", 1, 0, Multipart::create, 0);
    unit.storage("UploadPart", 1, 5000000, Multipart::part, 7);
    unit.storage("CompleteMultipartUpload", 1, 0, Multipart::complete, 7);
    unit.storage("UploadPart", 1, 1000, Multipart::part, 9);
    EXPECT_EQ(unit.objects(), (Lines{"object 5000000 stored: 0 1 2", "object 1000 stored: 3"}));
}

TEST(Objects, APutThatFailedAndIsTriedAgainIsOneObject) {
    Unit unit;
    unit.get(100000);
    unit.put(1, 100000, 503);
    unit.put(1, 100000);
    unit.put(1, 100000);
    EXPECT_EQ(unit.objects(), (Lines{"image 100000 fetched stored: 0 1 2", "object 100000 stored: 3"}));
}

TEST(Objects, WhatFailedWasNotFetched) {
    Unit unit;
    unit.get(100000, "image/png", 404);
    unit.storage("GetObject", 1, 0, Multipart::none, 0, 404);
    unit.storage("HeadObject", 1, 0);
    EXPECT_EQ(unit.objects(), Lines{});
}

TEST(Objects, AreMeasuredByTheirExchanges) {
    Unit unit;
    unit.get(100000).on_path = std::chrono::milliseconds(3);
    OwnedExchange& put = unit.put(1, 100000);
    put.on_path = std::chrono::milliseconds(4);
    put.hidden = std::chrono::milliseconds(1);
    std::vector<MovedObject> objects;
    find_objects(unit.exchanges, objects);
    measure_objects(unit.exchanges, objects);
    ASSERT_EQ(objects.size(), 1U);
    EXPECT_EQ(objects[0].on_path, std::chrono::milliseconds(7));
    EXPECT_EQ(objects[0].hidden, std::chrono::milliseconds(1));
}

TEST(Bulk, IsByTypeAndSizeButNotWhatIsSaid) {
    const auto bucket = [](std::uint64_t bytes, const std::string& type) {
        Unit unit;
        return unit.get(bytes, type).bucket;
    };
    EXPECT_EQ(bucket(kBulkBytes, "image/png"), Bucket::transfer);
    EXPECT_EQ(bucket(kBulkBytes - 1, "image/png"), Bucket::provider);
    EXPECT_EQ(bucket(kLargeBytes, "application/zip"), Bucket::transfer);
    EXPECT_EQ(bucket(kLargeBytes, ""), Bucket::transfer);
    EXPECT_EQ(bucket(kLargeBytes - 1, "application/zip"), Bucket::provider);
    EXPECT_EQ(bucket(16 * kLargeBytes, "application/json; charset=utf-8"), Bucket::provider);
    EXPECT_EQ(bucket(16 * kLargeBytes, "application/problem+json"), Bucket::provider);
}

}  // namespace
}  // namespace timesink::attribute
