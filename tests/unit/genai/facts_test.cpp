#include "genai/facts.hpp"

#include <gtest/gtest.h>

#include "genai/api.hpp"

namespace timesink::genai {
namespace {

BoundedText bounded(std::string_view text, std::size_t head, std::size_t tail) {
    BoundedText made(head, tail);
    made.append(text);
    return made;
}

TEST(Facts, OfAChatRequestAreTheModelAndThatThereAreMessages) {
    const Facts facts =
        read_facts(R"({"messages":[{"role":"user","content":"my \"model\": secret"}],"model":"gpt-4o","stream":true})");
    EXPECT_EQ(facts.model, "gpt-4o");
    EXPECT_TRUE(facts.has_messages);
    EXPECT_EQ(facts.stream, true);
}

TEST(Facts, NamesBelowTheTopAreNobodys) {
    const Facts facts =
        read_facts(R"({"metadata":{"model":"x","usage":{"prompt_tokens":9}},"tools":[{"type":"function","stream":true}]})");
    EXPECT_EQ(facts.model, "");
    EXPECT_EQ(facts.type, "");
    EXPECT_FALSE(facts.stream);
    EXPECT_FALSE(facts.input_tokens);
}

TEST(Facts, OfOpenAisAnswer) {
    const Facts facts = read_facts(
        R"({"object":"chat.completion","model":"gpt-4o-2024","choices":[{"message":{"content":"…"},"finish_reason":"stop"}],)"
        R"("usage":{"prompt_tokens":11,"completion_tokens":22,"prompt_tokens_details":{"cached_tokens":4},)"
        R"("completion_tokens_details":{"reasoning_tokens":5}}})");
    EXPECT_EQ(facts.object, "chat.completion");
    EXPECT_EQ(facts.input_tokens, 11U);
    EXPECT_EQ(facts.output_tokens, 22U);
    EXPECT_EQ(facts.cache_read_tokens, 4U);
    EXPECT_EQ(facts.reasoning_tokens, 5U);
    EXPECT_FALSE(facts.cache_apart);
    EXPECT_EQ(facts.finish_reason, "stop");
}

TEST(Facts, OfAnthropicsStream) {
    Facts facts = read_facts(
        R"({"type":"message_start","message":{"model":"claude","usage":{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":1}}})");
    EXPECT_FALSE(facts.has_output);
    facts.update(read_facts(R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}})"));
    EXPECT_TRUE(facts.has_output);
    facts.update(read_facts(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":33}})"));
    EXPECT_EQ(facts.model, "claude");
    EXPECT_EQ(facts.input_tokens, 10U);
    EXPECT_EQ(facts.output_tokens, 33U);
    EXPECT_TRUE(facts.cache_apart);
    EXPECT_EQ(facts.finish_reason, "end_turn");
}

TEST(Facts, WhatIsATokenAndWhatIsNot) {
    EXPECT_TRUE(read_facts(R"({"choices":[{"delta":{"content":"a"}}]})").has_output);
    EXPECT_FALSE(read_facts(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})").has_output);
    EXPECT_FALSE(read_facts(R"({"choices":[],"usage":{"completion_tokens":1}})").has_output);
    EXPECT_TRUE(read_facts(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]})").has_output);
    EXPECT_TRUE(read_facts(R"({"type":"response.output_text.delta","delta":"a"})").has_output);
    EXPECT_TRUE(
        read_facts(R"({"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}})").has_output);
    EXPECT_FALSE(read_facts(R"({"type":"ping"})").has_output);
    EXPECT_FALSE(read_facts("[DONE]").has_output);
}

TEST(Facts, UsageIsFoundBehindAMissingMiddle) {
    const std::string answer = R"({"model":"m","choices":[{"text":")" + std::string(5000, 'x') +
                               R"("}],"usage": {"prompt_tokens":7,"completion_tokens":8}})";
    const Facts facts = read_facts(bounded(answer, 100, 64));
    EXPECT_EQ(facts.model, "m");
    EXPECT_EQ(facts.input_tokens, 7U);
    EXPECT_EQ(facts.output_tokens, 8U);
}

TEST(Facts, AModelBehindALongPromptIsFound) {
    const std::string request =
        R"({"messages":[{"content":")" + std::string(5000, 'x') + R"(\"model\":\"a lie\""}],"model":"m","stream":true})";
    const Facts facts = read_facts(bounded(request, 100, 60));
    EXPECT_TRUE(facts.has_messages);
    EXPECT_EQ(facts.model, "m");
}

TEST(Facts, AQuotedNameWithinATextIsNone) {
    const std::string answer = R"({"choices":[{"text":")" + std::string(500, 'x') + R"(\"usage\":{\"prompt_tokens\":7}"}]})";
    EXPECT_FALSE(read_facts(bounded(answer, 100, 64)).input_tokens);
}

TEST(Facts, ANumberAtTheCutIsNotBelieved) {
    const Facts facts = read_facts(bounded(R"({"usage":{"prompt_tokens":12,"completion_tokens":3456}})", 48, 0));
    EXPECT_EQ(facts.input_tokens, 12U);
    EXPECT_FALSE(facts.output_tokens);
}

TEST(Facts, CutAnywhereOfAllThatIsBelievedNothingIsWrong) {
    const std::string whole =
        R"({"object":"list","model":"m1","data":[{"embedding":[0.5,-1e9]}],"usage":{"prompt_tokens":123,"completion_tokens":456}})";
    for (std::size_t head = 0; head <= whole.size(); ++head) {
        for (const std::size_t tail : {0, 20, 60, 200}) {
            const Facts facts = read_facts(bounded(whole, head, tail));
            EXPECT_TRUE(facts.model.empty() || facts.model == "m1") << head;
            EXPECT_TRUE(!facts.input_tokens || facts.input_tokens == 123U) << head;
            EXPECT_TRUE(!facts.output_tokens || facts.output_tokens == 456U) << head << " " << tail;
        }
    }
}

TEST(Facts, OfHostileDocumentsThereAreNone) {
    for (const std::string& hostile :
         {std::string(100000, '['), std::string(100000, '{'), std::string("\xff\xfe\x00", 3),
          std::string(R"({"usage":{"prompt_tokens":1e999}})"), std::string(R"({"usage":{"prompt_tokens":-5}})"),
          std::string(R"({"usage":{"prompt_tokens":99999999999999999999999}})"),
          std::string(R"({"usage":{"prompt_tokens":"12"}})"), std::string(R"({"model":5,"usage":[1]})")}) {
        const Facts facts = read_facts(hostile);
        EXPECT_FALSE(facts.input_tokens);
        EXPECT_EQ(facts.model, "");
    }
    EXPECT_EQ(read_facts(R"({"model":")" + std::string(1000, 'm') + R"("})").model.size(), kLongestName);
}

TEST(Api, IsKnownByTheEndOfThePathWhateverComesBefore) {
    EXPECT_EQ(api_of("POST", "/v1/chat/completions"), Api::chat_completions);
    EXPECT_EQ(api_of("POST", "/openai/deployments/x/chat/completions?api-version=1"), Api::chat_completions);
    EXPECT_EQ(api_of("POST", "/v1/completions"), Api::completions);
    EXPECT_EQ(api_of("POST", "/anthropic/v1/messages"), Api::messages);
    EXPECT_EQ(api_of("POST", "/v1/responses/"), Api::responses);
    EXPECT_EQ(api_of("GET", "/v1/messages"), Api::none);
    EXPECT_EQ(api_of("POST", "/v1/messages/count"), Api::none);
}

TEST(Api, APathAloneMakesNoneOfIt) {
    EXPECT_FALSE(is_spoken(Api::messages, read_facts(R"({"to":"bob","text":"hi"})"), read_facts(R"({"id":1})")));
    EXPECT_FALSE(is_spoken(Api::messages, read_facts(R"({"messages":["hi"]})"), read_facts(R"({"type":"message"})")));
    EXPECT_FALSE(is_spoken(Api::completions, {}, {}));
    EXPECT_TRUE(is_spoken(Api::messages, read_facts(R"({"model":"m","messages":[]})"), {}));
    EXPECT_TRUE(is_spoken(Api::chat_completions, {}, read_facts(R"({"object":"chat.completion.chunk"})")));
}

TEST(Api, ProvidersAreNamedByTheirHostElseByWhoseApiItIs) {
    EXPECT_EQ(provider_name(Api::chat_completions, "api.groq.com:443"), "groq");
    EXPECT_EQ(provider_name(Api::chat_completions, "acme.openai.azure.com"), "azure.ai.openai");
    EXPECT_EQ(provider_name(Api::chat_completions, "10.0.0.1:8000"), "openai");
    EXPECT_EQ(provider_name(Api::messages, "localhost"), "anthropic");
}

}  // namespace
}  // namespace timesink::genai
