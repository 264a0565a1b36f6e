#include "redact/json_mask.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "genai/facts.hpp"

namespace timesink::redact {
namespace {

const Secret kSecret = {1, 2};

std::string masked(std::string_view text, std::size_t piece, const Secret* secret = nullptr) {
    std::string out(text.size(), 'x');
    JsonMask mask(secret);
    const auto put = [&out](std::uint64_t position, char c) { out[static_cast<std::size_t>(position)] = c; };
    for (std::size_t at = 0; at < text.size(); at += piece) {
        mask.take(text.substr(at, piece), at, put);
    }
    return out;
}

constexpr std::string_view kAnswer =
    R"({"id":"chatcmpl-s3cret","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",)"
    R"("content":"my \"s3cret\" \u00e9"},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":12,"completion_tokens":34,)"
    R"("prompt_tokens_details":{"cached_tokens":5}},"cost":-12.5e3,"s3cret":true,"cached":false})";

TEST(JsonMask, LeavesWhatIsReadOfAnAnswer) {
    const std::string out = masked(kAnswer, kAnswer.size());
    EXPECT_EQ(out.find("s3cret"), std::string::npos) << out;
    EXPECT_EQ(out.size(), kAnswer.size());
    EXPECT_TRUE(nlohmann::json::accept(out)) << out;
    const genai::Facts facts = genai::read_facts(out);
    EXPECT_EQ(facts.model, "gpt-4o");
    EXPECT_EQ(facts.object, "chat.completion");
    EXPECT_EQ(facts.input_tokens, 12U);
    EXPECT_EQ(facts.output_tokens, 34U);
    EXPECT_EQ(facts.cache_read_tokens, 5U);
    EXPECT_EQ(facts.finish_reason, "stop");
    EXPECT_TRUE(facts.has_choices);
}

TEST(JsonMask, IsTheSameInPiecesOfAnySize) {
    const std::string whole = masked(kAnswer, kAnswer.size(), &kSecret);
    for (std::size_t piece = 1; piece < 20; ++piece) {
        EXPECT_EQ(masked(kAnswer, piece, &kSecret), whole) << piece;
    }
}

TEST(JsonMask, KeepsEqualTextsEqualAndOthersApart) {
    const auto body = [](std::string_view text) {
        return masked(R"({"messages":[{"content":")" + std::string(text) + R"("}]})", 1000, &kSecret);
    };
    EXPECT_EQ(body("what is it?"), body("what is it?"));
    EXPECT_NE(body("what is it?"), body("what is he?"));
    EXPECT_EQ(body("what is it?").find("what"), std::string::npos);
}

TEST(JsonMask, HidesWhatOnlyPretendsToBeAName) {
    EXPECT_EQ(masked(R"({"model":"a secret, with blanks"})", 100).find("secret"), std::string::npos);
    EXPECT_EQ(masked(R"({"type":"x"} and a secret behind it)", 100).find("secret"), std::string::npos);
}

TEST(JsonMask, FindsTheUsageBehindAGap) {
    constexpr std::string_view kEnd = R"(ecret text"}],"usage":{"input_tokens":7,"output_tokens":9},"user":"s3cret"})";
    std::string out(kEnd.size(), 'x');
    take_end(kEnd, 0, [&out](std::uint64_t position, char c) { out[static_cast<std::size_t>(position)] = c; });
    EXPECT_EQ(out.find("ecret"), std::string::npos) << out;
    BoundedText text(0, 4096);
    text.skip();
    text.append(out);
    const genai::Facts facts = genai::read_facts(text);
    EXPECT_EQ(facts.input_tokens, 7U);
    EXPECT_EQ(facts.output_tokens, 9U);
}

}  // namespace
}  // namespace timesink::redact
