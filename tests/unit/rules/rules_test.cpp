#include "rules/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace timesink::rules {
namespace {

struct Wrong {
    const char* name;
    std::string text;
    std::string error;  ///< its begin
};
std::ostream& operator<<(std::ostream& out, const Wrong& each) {
    return out << each.name;
}

const Wrong kWrong[] = {
    {"no rule", "", "r.toml:1:1: there is no [[rule]] in it"},
    {"no TOML", "[[rule]\nbucket = 1\n", "r.toml:1:"},
    {"a key that toml++ cannot take",
     "[[ru\xef\xbb\xba"
     "le]]\n",
     "r.toml:1:5: only ASCII outside of comments"},
    {"a key that is none", "[[=", "r.toml:1:3: Error while parsing key: expected bare key"},
    {"an unknown key", "[[rule]]\nbucket = \"db\"\n  bukcet = \"db\"\nhost = \"*\"\n",
     "r.toml:3:3: unknown key 'bukcet'; known are bucket, line,"},
    {"an unknown table", "[[rules]]\nbucket = \"db\"\n", "r.toml:1:3: unknown key 'rules'; a file has [[rule]] tables only"},
    {"single brackets", "[rule]\nbucket = \"db\"\n", "r.toml:1:2: rules are written as [[rule]]"},
    {"no bucket", "[[rule]]\nhost = \"a\"\n", "r.toml:1:1: this rule has no bucket"},
    {"an unknown bucket", "[[rule]]\nhost = \"a\"\nbucket = \"cache\"\n",
     "r.toml:3:10: bucket is \"db\", \"provider\", \"transfer\" or \"internal\", not 'cache'"},
    {"a bucket that is a number", "[[rule]]\nbucket = 5\n", "r.toml:2:10: bucket is"},
    {"every call", "[[rule]]\nbucket = \"db\"\n", "r.toml:1:1: this rule would match every call"},
    {"a host with a port", "[[rule]]\nbucket = \"db\"\nhost = [\"a\", \"b:80\"]\n",
     "r.toml:3:14: host has no port: write port = 80"},
    {"a host that is a URL", "[[rule]]\nbucket = \"db\"\nhost = \"http://a\"\n",
     "r.toml:3:8: host is a name or an address, not a URL"},
    {"a host that is a number", "[[rule]]\nbucket = \"db\"\nhost = 7\n", "r.toml:3:8: host is a text, or a list of texts"},
    {"an empty list", "[[rule]]\nbucket = \"db\"\nhost = []\n", "r.toml:3:8: a list of host has 1 to 64 members"},
    {"an empty text", "[[rule]]\nbucket = \"db\"\nmethod = \"\"\n", "r.toml:3:10: method has 1 to 256 characters"},
    {"a port beyond the last", "[[rule]]\nbucket = \"db\"\nport = 70000\n", "r.toml:3:8: port is a number from 1 to 65535"},
    {"a port of nothing", "[[rule]]\nbucket = \"db\"\nport = 0\n", "r.toml:3:8: port is a number from 1 to 65535"},
    {"a range backwards", "[[rule]]\nbucket = \"db\"\nport = \"90-80\"\n", "r.toml:3:8: port is a number from 1 to 65535"},
    {"a route without a slash", "[[rule]]\nbucket = \"db\"\nroute = \"a/b\"\n", "r.toml:3:9: route begins with a slash: 'a/b'"},
    {"a type that is none", "[[rule]]\nbucket = \"db\"\ntype = \"png\"\n", "r.toml:3:8: type is a content type"},
    {"a size without a comparison", "[[rule]]\nbucket = \"db\"\nsize = \"64 KiB\"\n", "r.toml:3:8: size is a comparison"},
    {"a size in an unknown unit", "[[rule]]\nbucket = \"db\"\nsize = \"> 64 kb\"\n", "r.toml:3:8: size is a comparison"},
    {"sizes that exclude each other", "[[rule]]\nbucket = \"db\"\nsize = [\"> 2 KB\", \"< 1 KB\"]\n",
     "r.toml:1:1: no size can be both"},
    {"an unknown direction", "[[rule]]\nbucket = \"db\"\nsize = \"> 1\"\ndirection = \"up\"\n",
     "r.toml:4:13: direction is \"in\""},
    {"a direction of nothing", "[[rule]]\nbucket = \"db\"\nhost = \"a\"\ndirection = \"in\"\n",
     "r.toml:1:1: direction says which body"},
    {"a line that is too long", "[[rule]]\nbucket = \"db\"\nhost = \"a\"\nline = \"" + std::string(41, 'x') + "\"\n",
     "r.toml:4:8: line is a text"},
    {"a second rule", "[[rule]]\nbucket = \"db\"\nhost = \"a\"\n\n[[rule]]\nbucket = \"db\"\nhots = \"a\"\n",
     "r.toml:7:1: unknown key 'hots'"},
    {"a key of control characters", "[[rule]]\n\"a\\u0007b\" = 1\n", "r.toml:2:1: unknown key 'a?b'"},
};

class WrongRules : public testing::TestWithParam<Wrong> {};

TEST_P(WrongRules, AreRefusedWithTheirPlace) {
    const auto parsed = RuleSet::parse(GetParam().text, "r.toml");
    ASSERT_FALSE(parsed.ok());
    EXPECT_THAT(parsed.error().what, testing::StartsWith(GetParam().error));
    EXPECT_EQ(parsed.error().what.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, WrongRules, testing::ValuesIn(kWrong));

std::uint32_t match(const std::string& criteria, const Call& call) {
    const auto parsed = RuleSet::parse("[[rule]]\nbucket = \"transfer\"\n" + criteria, "r.toml");
    EXPECT_TRUE(parsed.ok()) << parsed.error().what;
    return parsed.ok() ? parsed->match(call) : 0;
}

const Call kCall{.protocol = "http",
                 .host = "Img7.CDN.example",
                 .address = "10.1.2.3",
                 .port = 8443,
                 .operation = "GET",
                 .method = "GET",
                 .route = "/pictures/{id}/large",
                 .type_in = "Image/PNG; q=1",
                 .type_out = "",
                 .bytes_in = 65536,
                 .bytes_out = 10};

TEST(Rules, MatchByEachCriterion) {
    for (const char* fits : {"host = \"img7.cdn.example\"", "host = \"*.cdn.example\"", "host = \"10.1.*\"",
                             "host = [\"a\", \"IMG*\"]", "port = 8443", "port = [80, \"8000-9000\"]", "protocol = \"http\"",
                             "method = [\"get\", \"HEAD\"]", "route = \"/pictures/**\"", "route = \"/pictures/*/large\"",
                             "type = \"image/*\"", "type = \"image/png\"\ndirection = \"in\"", "size = \">= 64 KiB\"",
                             "size = [\"> 65 KB\", \"<= 65536\"]", "size = \"< 1 KB\"\ndirection = \"out\"", "host = \"*\""}) {
        EXPECT_EQ(match(fits, kCall), 1U) << fits;
    }
    for (const char* misses : {"host = \"cdn.example\"", "host = \"*.cdn\"", "port = 443", "port = \"80-8442\"",
                               "protocol = \"redis\"", "method = \"PUT\"", "route = \"/pictures/*\"", "route = \"/pictures\"",
                               "type = \"video/*\"", "type = \"image/*\"\ndirection = \"out\"", "size = \"> 64 KiB\"",
                               "size = \">= 64 KiB\"\ndirection = \"out\"", "host = \"*.cdn.example\"\nport = 80"}) {
        EXPECT_EQ(match(misses, kCall), 0U) << misses;
    }
}

TEST(Rules, TheFirstThatMatchesDecides) {
    const auto parsed = RuleSet::parse(
        "[[rule]]\nbucket = \"internal\"\nhost = \"a\"\nline = \"users\"\n[[rule]]\nbucket = \"db\"\nhost = \"*\"\n[[rule]]\n"
        "bucket = \"transfer\"\nhost = \"b\"\n",
        "/etc/shop/r.toml");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->file(), "r.toml");
    EXPECT_EQ(parsed->match({.host = "a"}), 1U);
    EXPECT_EQ(parsed->match({.host = "b"}), 2U);
    EXPECT_EQ(parsed->rules()[0].line, "users");
    EXPECT_EQ(parsed->rules()[0].bucket, Bucket::internal);
    EXPECT_EQ(parsed->rules()[1].source_line, 5U);
}

TEST(Rules, ATooLongFileIsRefused) {
    EXPECT_FALSE(RuleSet::parse(std::string(RuleSet::kMostBytes + 1, '#'), "r.toml").ok());
}

TEST(Covers, TakesStarsForAnything) {
    EXPECT_TRUE(covers("", "", false));
    EXPECT_TRUE(covers("*", "", false));
    EXPECT_TRUE(covers("a*b*c", "aXbYc", false));
    EXPECT_FALSE(covers("a*b*c", "aXbY", false));
    EXPECT_FALSE(covers("/a/*", "/a/b/c", true));
    EXPECT_TRUE(covers("/a/**", "/a/b/c", true));
    EXPECT_TRUE(covers("/**/c", "/a/b/c", true));
    EXPECT_FALSE(covers("/a", "/ab", true));
    EXPECT_TRUE(covers(std::string(200, '*'), std::string(1000, 'a'), false));
}

}  // namespace
}  // namespace timesink::rules
