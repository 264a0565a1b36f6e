#include "genai/api.hpp"

#include <array>
#include <utility>

namespace timesink::genai {

namespace {

struct Shape {
    std::string_view path;
    Api api;
};
/// Chat before plain completions: the one ends with the other.
constexpr std::array<Shape, 6> kShapes = {{{"/chat/completions", Api::chat_completions},
                                           {"/completions", Api::completions},
                                           {"/responses", Api::responses},
                                           {"/embeddings", Api::embeddings},
                                           {"/images/generations", Api::images},
                                           {"/messages", Api::messages}}};

bool has_input_of(Api api, const Facts& request) {
    switch (api) {
        case Api::chat_completions:
        case Api::messages:
            return request.has_messages;
        case Api::completions:
        case Api::images:
            return request.has_prompt;
        case Api::responses:
            return request.has_input || request.has_prompt;
        case Api::embeddings:
            return request.has_input;
        case Api::none:
            break;
    }
    return false;
}

bool has_form_of(Api api, const Facts& answer) {
    switch (api) {
        case Api::chat_completions:
            return answer.object.starts_with("chat.completion");
        case Api::completions:
            return answer.object == "text_completion";
        case Api::responses:
            return answer.object == "response" || answer.type.starts_with("response.");
        case Api::embeddings:
            return answer.object == "list" && answer.has_data && answer.input_tokens.has_value();
        case Api::images:
            return false;  // {"created", "data"} is anybody's
        case Api::messages:
            return answer.type.starts_with("message") && !answer.model.empty();
        case Api::none:
            break;
    }
    return false;
}

}  // namespace

Api api_of(std::string_view method, std::string_view target) {
    if (method != "POST") {
        return Api::none;
    }
    std::string_view path = target.substr(0, target.find('?'));
    if (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    for (const Shape& shape : kShapes) {
        if (path.ends_with(shape.path)) {
            return shape.api;
        }
    }
    return Api::none;
}

Api api_of(const Facts& answer) {
    for (const Api api : {Api::chat_completions, Api::completions, Api::responses, Api::embeddings, Api::messages}) {
        if (has_form_of(api, answer)) {
            return api;
        }
    }
    return Api::none;
}

bool is_spoken(Api api, const Facts& request, const Facts& answer) {
    return has_form_of(api, answer) || (has_input_of(api, request) && !request.model.empty());
}

std::string_view operation_name(Api api) {
    switch (api) {
        case Api::completions:
            return "text_completion";
        case Api::embeddings:
            return "embeddings";
        case Api::images:
            return "image_generation";
        default:
            return "chat";
    }
}

std::string_view provider_name(Api api, std::string_view host) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kHosts = {
        {{"api.openai.com", "openai"},
         {"api.anthropic.com", "anthropic"},
         {".openai.azure.com", "azure.ai.openai"},
         {".inference.ai.azure.com", "azure.ai.inference"},
         {"api.groq.com", "groq"},
         {"api.mistral.ai", "mistral_ai"},
         {"api.deepseek.com", "deepseek"},
         {"api.perplexity.ai", "perplexity"},
         {"api.x.ai", "x_ai"},
         {"generativelanguage.googleapis.com", "gcp.gemini"}}};
    host = host.substr(0, host.rfind(':'));
    for (const auto& [name, provider] : kHosts) {
        if (host.ends_with(name)) {
            return provider;
        }
    }
    return api == Api::messages ? "anthropic" : "openai";
}

}  // namespace timesink::genai
