#include "analyze/genai_line.hpp"

#include <gtest/gtest.h>

#include "analyze/unit_calls.hpp"
#include "support/account_builder.hpp"

namespace timesink::analyze {
namespace {

using attribute::Cause;
using test::at;
using test::ms;

attribute::OwnedExchange call(std::uint64_t id, Duration sent, Duration read, int status, std::uint64_t digest) {
    request::GenAiCall genai;
    genai.operation = "chat";
    genai.provider = "openai";
    genai.request_model = "gpt";
    genai.request_digest = digest;
    attribute::OwnedExchange made;
    made.bucket = attribute::Bucket::provider;
    made.exchange.id = ExchangeId{id};
    made.exchange.sent = at(sent);
    made.exchange.read_end = at(read);
    made.exchange.status = status;
    made.exchange.complete = true;
    made.exchange.fingerprint = 7;
    made.exchange.genai = std::make_shared<const request::GenAiCall>(genai);
    return made;
}

TEST(Attempts, TheSameRequestAgainAfterAFailureIsARetry) {
    const std::vector<attribute::OwnedExchange> calls = {call(1, ms(0), ms(5), 429, 1), call(2, ms(0), ms(9), 200, 2),
                                                         call(3, ms(65), ms(70), 503, 1), call(4, ms(100), ms(120), 200, 1),
                                                         call(5, ms(130), ms(150), 200, 1)};
    std::vector<Attempt> attempts;
    find_attempts(calls, attempts);
    ASSERT_EQ(attempts.size(), 5U);
    EXPECT_TRUE(attempts[0].retried);
    EXPECT_FALSE(attempts[1].retry);
    EXPECT_TRUE(attempts[2].retry);
    EXPECT_EQ(attempts[2].waited, ms(60));
    EXPECT_TRUE(attempts[3].retry);
    EXPECT_EQ(attempts[3].waited, ms(30));
    EXPECT_FALSE(attempts[4].retry);  // the one before succeeded
}

TEST(Attempts, WhatRunsBesideTheFailureIsNoRetryOfIt) {
    std::vector<Attempt> attempts;
    find_attempts({call(1, ms(0), ms(50), 500, 1), call(2, ms(10), ms(20), 200, 1), call(3, ms(0), ms(5), 429, 3),
                   call(4, ms(6), ms(9), 200, 4)},
                  attempts);
    for (const Attempt& attempt : attempts) {
        EXPECT_FALSE(attempt.retry);
        EXPECT_FALSE(attempt.retried);
    }
}

TEST(GenAiLine, TheFirstTokenSplitsTheTimeOnThePathInTwoThatSumToIt) {
    attribute::Account account;
    account.exchanges.push_back(call(1, ms(0), ms(100), 200, 1));
    request::GenAiCall genai = *account.exchanges[0].exchange.genai;
    genai.streamed = true;
    genai.first_token = at(ms(30));
    genai.last_token = at(ms(90));
    genai.output_tokens = 31;
    account.exchanges[0].exchange.genai = std::make_shared<const request::GenAiCall>(genai);
    account.exchanges[0].on_path = ms(85);
    account.pieces = {{{at(ms(5)), at(ms(20))}, Cause::provider_first_byte, ExchangeId{1}},
                      {{at(ms(20)), at(ms(25))}, Cause::cpu, {}},
                      {{at(ms(25)), at(ms(95))}, Cause::provider_body, ExchangeId{1}}};
    UnitCalls calls;
    calls.read(account);
    GenAiLine line;
    add_genai(line, account.exchanges[0], calls.calls()[0].attempt, calls.calls()[0].before_first_token);
    EXPECT_EQ(line.before_first_token, ms(20));
    EXPECT_EQ(line.generating, ms(65));
    EXPECT_EQ(line.to_first_token, ms(30));
    EXPECT_DOUBLE_EQ(line.tokens_a_second(), 500);
}

TEST(GenAiLine, SumsAddUpAndModelsAreMostUsedFirst) {
    GenAiLine one;
    GenAiLine other;
    add_genai(one, call(1, ms(0), ms(5), 429, 1), {}, {});
    attribute::OwnedExchange claude = call(2, ms(0), ms(5), 200, 1);
    request::GenAiCall genai;
    genai.response_model = "claude";
    genai.input_tokens = 5;
    claude.exchange.genai = std::make_shared<const request::GenAiCall>(genai);
    add_genai(other, claude, {true, ms(7), false}, {});
    add_genai(other, claude, {}, {});
    one.add(other);
    EXPECT_EQ(one.calls, 3U);
    EXPECT_EQ(one.rate_limited, 1U);
    EXPECT_EQ(one.retries, 1U);
    EXPECT_EQ(one.retry_wait, ms(7));
    EXPECT_EQ(one.usage_known, 2U);
    EXPECT_EQ(one.input_tokens, 10U);
    EXPECT_EQ(one.models, (std::vector<std::pair<std::string, std::uint64_t>>{{"claude", 2}, {"gpt", 1}}));
}

}  // namespace
}  // namespace timesink::analyze
