#pragma once

#include <cstdint>
#include <string_view>

#include "genai/facts.hpp"

namespace timesink::genai {

/// The APIs that are understood, by what they speak, not by who offers them: vLLM, Ollama, Azure, gateways speak them too.
enum class Api : std::uint8_t { none, chat_completions, completions, responses, embeddings, images, messages };

/// By the end of the path, whatever comes before it: "/v1/chat/completions", "/openai/deployments/x/chat/completions?…". Only how
/// it may turn out: is_spoken() says whether it is.
Api api_of(std::string_view method, std::string_view target);

/// By the form of an answer alone: where the path is not known (HTTP/2's tables older than the attach). Images have no telling
/// form.
Api api_of(const Facts& answer);

/// Whether the bodies are of that API: the request has its input, and names a model or is answered in the API's form. Paths like
/// /messages and /completions are everybody's.
bool is_spoken(Api api, const Facts& request, const Facts& answer);

/// gen_ai.operation.name of OpenTelemetry's GenAI conventions; "image_generation" is not among its well-known ones.
std::string_view operation_name(Api api);
/// gen_ai.provider.name: of well-known hosts theirs; of others, as the conventions have it, whose API it is.
std::string_view provider_name(Api api, std::string_view host);

}  // namespace timesink::genai
