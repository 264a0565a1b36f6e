#include "report/safe_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace timesink::report {
namespace {

struct Case {
    const char* name;
    std::string_view text;
    std::string_view terminal;
    std::string_view ascii;
};

const Case kCases[] = {
    {"plain text stays", "GET /orders/{id}?", "GET /orders/{id}?", "GET /orders/{id}?"},
    {"an escape sequence is spelled", "\x1b[31m", "\\x1b[31m", "\\x1b[31m"},
    {"a newline cannot forge a line", "a\r\nb\tc", "a\\r\\nb\\tc", "a\\r\\nb\\tc"},
    {"DEL and C1 controls are controls", "\x7f\xc2\x9b", "\\x7f\\u{9b}", "\\x7f\\u{9b}"},
    {"letters of other scripts stay", "caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5", "caf\\u{e9} \\u{65e5}"},
    {"a lone continuation byte", "a\x80z", "a\\x80z", "a\\x80z"},
    {"a cut-off sequence", "a\xe2\x82", "a\\xe2\\x82", "a\\xe2\\x82"},
    {"an overlong slash", "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf"},
    {"an overlong three-byte form", "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf"},
    {"a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
    {"beyond Unicode", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80"},
    {"text that runs backwards",
     "\xe2\x80\xae"
     "abc",
     "\\u{202e}abc", "\\u{202e}abc"},
    {"zero width",
     "a\xe2\x80\x8b"
     "b\xef\xbb\xbf",
     "a\\u{200b}b\\u{feff}", "a\\u{200b}b\\u{feff}"},
    {"a NUL", std::string_view("a\0b", 3), "a\\x00b", "a\\x00b"},
};

TEST(SafeText, Terminal) {
    for (const Case& each : kCases) {
        EXPECT_EQ(terminal_safe(each.text, false), each.terminal) << each.name;
        EXPECT_EQ(terminal_safe(each.text, true), each.ascii) << each.name;
    }
}

TEST(SafeText, JsonIsAlwaysValidAndKeepsWhatIsValid) {
    for (const Case& each : kCases) {
        std::string json = "\"";
        append_json_escaped(json, each.text);
        json += '"';
        ASSERT_TRUE(nlohmann::json::accept(json)) << each.name << ": " << json;
        for (const char c : json) {
            EXPECT_GE(static_cast<unsigned char>(c), 0x20) << each.name;
        }
    }
    std::string quoted;
    append_json_escaped(quoted, "a\"b\\c\n\xf3\xa0\x80\x81\xff");
    EXPECT_EQ(quoted, "a\\\"b\\\\c\\u000a\\udb40\\udc01\xef\xbf\xbd");
    EXPECT_EQ(nlohmann::json::parse("\"" + quoted + "\"").get<std::string>(), "a\"b\\c\n\xf3\xa0\x80\x81\xef\xbf\xbd");
}

TEST(SafeText, MarkdownHasNoMarkupLeft) {
    EXPECT_EQ(markdown_safe("a|b\nc"), "a\\|b\\\\nc");
    EXPECT_EQ(markdown_safe("<script>&"), "&lt;script&gt;&amp;");
    EXPECT_EQ(markdown_safe("[x](y) *b* _i_ `c` ~s~ #1 $m$"), "\\[x\\](y) \\*b\\* \\_i\\_ \\`c\\` \\~s\\~ \\#1 \\$m\\$");
    EXPECT_EQ(markdown_safe("http://a www.b @c"), "http&#58;//a www&#46;b &#64;c");
    EXPECT_EQ(markdown_safe("- a - b"), "\\- a - b");
}

TEST(SafeText, WidthCountsColumns) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("caf\xc3\xa9 …"), 6U);
    EXPECT_EQ(display_width("\xe6\x97\xa5\xe6\x9c\xac"), 4U);
    EXPECT_EQ(display_width("e\xcc\x81"), 1U);
}

TEST(SafeText, CutLeavesWholeCharacters) {
    EXPECT_EQ(cut("abcdef", 6), "abcdef");
    EXPECT_EQ(cut("abcdef", 4), "abc…");
    EXPECT_EQ(cut("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4), "\xe6\x97\xa5…");
    EXPECT_EQ(cut("abc", 0), "");
    EXPECT_EQ(cut("abc", 1), "…");
}

TEST(SafeText, AnyBytesAreSafeInEveryRendering) {
    std::mt19937 random(11);
    for (int round = 0; round < 3000; ++round) {
        std::string bytes(random() % 40, '\0');
        for (char& byte : bytes) {
            byte = static_cast<char>(random() % 3 == 0 ? random() % 256 : 0x80 + random() % 0x78);
        }
        const std::string terminal = terminal_safe(bytes, false);
        EXPECT_EQ(terminal_safe(terminal, false), terminal);
        for (const char c : terminal_safe(bytes, true)) {
            EXPECT_TRUE(c >= 0x20 && c < 0x7f);
        }
        std::string json = "\"";
        append_json_escaped(json, bytes);
        EXPECT_TRUE(nlohmann::json::accept(json + "\""));
        for (std::size_t width = 0; width < 12; ++width) {
            EXPECT_LE(display_width(cut(terminal, width)), width);
        }
    }
}

}  // namespace
}  // namespace timesink::report
