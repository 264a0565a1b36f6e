#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "attribute/account.hpp"
#include "base/time.hpp"

namespace timesink::analyze {

/// Calls of language models on one line of calls. Sums are of the calls that tell; each says of how many.
struct GenAiLine {
    std::string operation;  ///< gen_ai.operation.name
    std::string provider;   ///< gen_ai.provider.name
    /// Models (the answer's, else the request's) with their calls, most used first.
    std::vector<std::pair<std::string, std::uint64_t>> models;
    std::uint64_t models_omitted = 0;  ///< calls of models that did not fit
    std::uint64_t calls = 0;
    std::uint64_t streamed = 0;
    std::uint64_t first_tokens = 0;  ///< streamed calls whose first token was seen
    Duration to_first_token{};       ///< of these: sent until it was in the kernel, sum
    Duration to_first_token_max{};
    std::uint64_t usage_known = 0;  ///< calls whose tokens are known
    std::uint64_t input_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::uint64_t rate_tokens = 0;          ///< streamed: output tokens behind the first
    Duration rate_time{};                   ///< of these: first token until last token
    std::uint64_t rate_limited = 0;         ///< answered 429
    std::uint64_t retries = 0;              ///< the same request again, in the same unit, after a failure
    Duration retry_wait{};                  ///< between the failure and the retry
    Duration failed_on_path{};              ///< of the unit's wall time: the attempts that were retried
    std::uint64_t unread_compressed = 0;    ///< tokens not read
    std::uint64_t unread_not_captured = 0;  ///< ditto
    /// Of on_path of the streamed calls whose first token was seen: until it, and from then on. They sum to it.
    Duration before_first_token{};
    Duration generating{};

    [[nodiscard]] double tokens_a_second() const;  ///< 0: not known
    void add(const GenAiLine& other);
};

/// What the other calls of its unit say of one of a language model.
struct Attempt {
    bool retry = false;
    Duration waited{};     ///< retry: since the failure that it follows
    bool retried = false;  ///< it failed, and was made again
};

/// Counts one call. `before_first_token`: of its time on the path.
void add_genai(GenAiLine& line, const attribute::OwnedExchange& owned, const Attempt& attempt, Duration before_first_token);

/// Of the unit's exchanges, in order of sending; one for each. A retry is the same request (its body, as far as captured, host
/// and route) again, after an attempt that was answered 408, 409, 429 or 5xx, or not at all.
void find_attempts(const std::vector<attribute::OwnedExchange>& exchanges, std::vector<Attempt>& attempts);

}  // namespace timesink::analyze
