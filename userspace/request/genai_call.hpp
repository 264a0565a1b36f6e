#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "genai/api.hpp"

namespace timesink::request {

/// What an exchange with a language-model API was about. Nothing of what was asked or answered is in it.
struct GenAiCall {
    genai::Api api = genai::Api::none;
    std::string_view operation;  ///< gen_ai.operation.name
    std::string_view provider;   ///< gen_ai.provider.name
    std::string request_model;   ///< empty: not said, or not seen
    std::string response_model;  ///< ditto
    bool streamed = false;
    /// As the API says; none: it does not, or it was not seen. Input includes what came out of a cache.
    std::optional<std::uint64_t> input_tokens;
    std::optional<std::uint64_t> output_tokens;
    std::optional<std::uint64_t> cache_read_tokens;
    std::optional<std::uint64_t> reasoning_tokens;
    Instant first_token{};  ///< streamed: the first event with something generated was in the kernel; zero: not seen
    Instant last_token{};   ///< ditto, the last such
    std::string finish_reason;
    std::string error_type;
    std::string unread;                ///< why tokens were not read: "compressed", "not captured"; empty: what there was was read
    std::uint64_t request_digest = 0;  ///< of the request's body as far as captured; equal bodies have equal ones. Never exported
    std::uint64_t attempt = 0;  ///< how many attempts came before it, as the client's library says (x-stainless-retry-count)

    [[nodiscard]] const std::string& model() const { return response_model.empty() ? request_model : response_model; }
};

}  // namespace timesink::request
