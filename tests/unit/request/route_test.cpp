#include "request/route.hpp"

#include <gmock/gmock.h>

namespace timesink::request {
namespace {

struct Case {
    const char* name;
    const char* path;
    const char* route;
};

const Case kCases[] = {
    {"the root", "/", "/"},
    {"an empty path", "", "/"},
    {"words stay", "/api/v1/orders", "/api/v1/orders"},
    {"a number", "/episode/17/state", "/episode/{id}/state"},
    {"a negative number", "/shift/-3", "/shift/{id}"},
    {"the query is not part of it", "/orders/7?verbose=1#top", "/orders/{id}"},
    {"a trailing slash stays", "/orders/7/", "/orders/{id}/"},
    {"a UUID", "/u/6F9619FF-8b86-d011-b42d-00cf4fc964ff", "/u/{uuid}"},
    {"a commit", "/c/9fceb02d0ae598e95dc970b74767f19372d61af8", "/c/{hash}"},
    {"a short hash", "/c/9fceb02d", "/c/{hash}"},
    {"a word of hex letters is a word", "/cafe/facade/deadbeef", "/cafe/facade/deadbeef"},
    {"a ULID", "/e/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/e/{ulid}"},
    {"a date", "/report/2026-11-21", "/report/{date}"},
    {"a month", "/report/2026-11", "/report/{date}"},
    {"a time", "/at/2026-11-21T10:00:00Z", "/at/{date}"},
    {"a mail address", "/user/a.b@example.org", "/user/{email}"},
    {"an escaped mail address", "/user/a%40example.org", "/user/{email}"},
    {"escaped text", "/search/caf%C3%A9%20au%20lait", "/search/{text}"},
    {"a token", "/session/dGhpcyBpcyBhIHRva2VuMTIz", "/session/{token}"},
    {"a prefixed id", "/charge/ch_3MtwBwLkdIwHu7ix28a3tqPa", "/charge/{token}"},
    {"several numbers", "/tiles/12,14,16", "/tiles/{id}"},
    {"a numbered file", "/img/4711.png", "/img/{file}"},
    {"a named file stays", "/static/app.min.js", "/static/app.min.js"},
    {"versions stay", "/api/v2.1/x", "/api/v2.1/x"},
    {"long words stay", "/subscription-preferences/notificationSettings", "/subscription-preferences/notificationSettings"},
    {"a route is its own route", "/orders/{id}/{name}", "/orders/{id}/{name}"},
};

TEST(FoldPath, FoldsWhatLooksLikeAnId) {
    for (const Case& test : kCases) {
        EXPECT_EQ(fold_path(test.path), test.route) << test.name;
        EXPECT_EQ(fold_path(fold_path(test.path)), test.route) << test.name << ", twice";
    }
}

TEST(FoldPath, IsBoundedOnHostilePaths) {
    std::string deep;
    for (int i = 0; i < 10'000; ++i) {
        deep += "/a";
    }
    EXPECT_LT(fold_path(deep).size(), 100U);
    EXPECT_EQ(fold_path("/" + std::string(10'000, 'a')), "/{token}");
}

TEST(RoutePatterns, TheFirstThatMatchesIsTheRoute) {
    RoutePatterns patterns;
    ASSERT_TRUE(patterns.add("GET /characters/{name}").ok());
    ASSERT_TRUE(patterns.add("* /static/**").ok());
    ASSERT_TRUE(patterns.add("/health").ok());
    EXPECT_EQ(patterns.match("GET", "/characters/alice?x=1"), "/characters/{name}");
    EXPECT_EQ(patterns.match("POST", "/characters/alice"), "");
    EXPECT_EQ(patterns.match("GET", "/characters/alice/friends"), "");
    EXPECT_EQ(patterns.match("HEAD", "/static/a/b.js"), "/static/**");
    EXPECT_EQ(patterns.match("GET", "/health"), "/health");
}

TEST(RoutePatterns, WrongOnesSayWhy) {
    const std::pair<const char*, const char*> wrong[] = {
        {"orders", "expected METHOD /path"},   {"get /a", "not a method"},
        {"GET a", "must begin with /"},        {"GET /a?b", "no spaces, query"},
        {"/a/{id", "must be a whole segment"}, {"/a/x{id}", "must be a whole segment"},
        {"/a/{}", "must be a whole segment"},  {"/**/a", "must be the last"},
    };
    for (const auto& [pattern, why] : wrong) {
        RoutePatterns patterns;
        const Status status = patterns.add(pattern);
        ASSERT_FALSE(status.ok()) << pattern;
        EXPECT_THAT(status.error().what, ::testing::HasSubstr(why));
    }
}

TEST(RouteTable, APlaceWithManyNamesBecomesOne) {
    RouteTable table;
    EXPECT_EQ(table.route("GET", "/characters/alice/items"), "/characters/alice/items");
    EXPECT_EQ(table.route("GET", "/about"), "/about");
    for (std::size_t i = 0; i < RouteTable::kMostNames; ++i) {
        std::string name = "n";
        for (std::size_t rest = i; rest > 0; rest /= 26) {
            name.push_back(static_cast<char>('a' + rest % 26));
        }
        table.route("GET", "/characters/" + name + "/items");
    }
    EXPECT_EQ(table.route("GET", "/characters/zoe/items"), "/characters/{name}/items");
    EXPECT_EQ(table.final_route("GET", "/characters/alice/items"), "/characters/{name}/items");
    EXPECT_EQ(table.final_route("GET", "/characters/{name}/items"), "/characters/{name}/items");
    EXPECT_EQ(table.final_route("GET", "/about"), "/about");
}

TEST(RouteTable, IsBoundedAndGivesTheSameTwice) {
    const auto run = [] {
        RouteTable table;
        std::string all;
        for (int i = 0; i < 30'000; ++i) {
            const auto word = [](int n) {
                return std::string(1, static_cast<char>('a' + n % 26)) + static_cast<char>('a' + n / 26 % 26) + "x";
            };
            all = table.route("GET", "/" + word(i) + "/" + word(i * 7) + "/" + word(i * 13) + "/17");
        }
        return all + table.final_route("GET", "/abx/zzx/qqx/9");
    };
    EXPECT_EQ(run(), run());
    EXPECT_THAT(run(), ::testing::HasSubstr("{name}"));
}

}  // namespace
}  // namespace timesink::request
