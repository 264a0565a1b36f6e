#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bounded_text.hpp"

namespace timesink::genai {

/// What one JSON document of an OpenAI- or Anthropic-like API says: a request, an answer, or one event of a streamed answer. Of
/// its texts (prompts, completions, arguments of tools) nothing is kept but that they are there.
struct Facts {
    // Of requests
    std::string model;  ///< answers too
    std::optional<bool> stream;
    bool has_messages = false;
    bool has_input = false;
    bool has_prompt = false;
    // Of answers
    std::string object;  ///< "chat.completion", "response", "list"
    std::string type;    ///< "message", "message_start", "response.completed"
    bool has_choices = false;
    bool has_data = false;
    bool has_output = false;  ///< something generated is in it: the event is one of tokens
    std::optional<std::uint64_t> input_tokens;
    std::optional<std::uint64_t> output_tokens;
    std::optional<std::uint64_t> cache_read_tokens;
    std::optional<std::uint64_t> cache_creation_tokens;
    std::optional<std::uint64_t> reasoning_tokens;
    bool cache_apart = false;  ///< the API counts tokens of the cache beside the input's, not in them (Anthropic)
    std::string finish_reason;
    std::string error_type;

    /// Takes over what `later` says; what it does not say stays.
    void update(const Facts& later);
};

/// Longer names than this are cut off.
inline constexpr std::size_t kLongestName = 128;

/// Reads what there is of a document, by nlohmann's SAX parser: it may be cut anywhere, and be anything. Of what follows a
/// missing middle only usage, model and finish reason are looked for, by their names: a quoted name that is not escaped cannot be
/// within a JSON string. Never throws on any input.
Facts read_facts(const BoundedText& document);
Facts read_facts(std::string_view document);

}  // namespace timesink::genai
