#include "report/genai_json.hpp"

#include <algorithm>
#include <array>

namespace timesink::report {

namespace {

/// Header fields that say how much more the provider would take.
bool is_limit(std::string_view field) {
    constexpr std::array<std::string_view, 3> kBegins = {"x-ratelimit-", "anthropic-ratelimit-", "retry-after"};
    return std::any_of(kBegins.begin(), kBegins.end(), [field](std::string_view begin) { return field.starts_with(begin); });
}

void write_limits(JsonWriter& json, const proto::Attributes& attributes) {
    constexpr std::string_view kPrefix = "http.response.header.";
    json.key("rate_limit").open('{');
    for (const auto& [name, value] : attributes) {
        const bool of_response = name.starts_with(kPrefix);
        if (of_response && is_limit(name.substr(kPrefix.size()))) {
            json.member(name.substr(kPrefix.size()), value);
        }
    }
    json.close('}');
}

}  // namespace

void write_stream(JsonWriter& json, const request::StreamFigures* stream) {
    json.key("stream");
    if (stream == nullptr) {
        json.null();
        return;
    }
    const bool sse = stream->kind == proto::EventStream::Kind::server_sent;
    json.open('{').member("kind", sse ? "server_sent_events" : "json_lines");
    json.member("events", stream->events).member("exact", stream->exact).member_or_null("unread", stream->unread);
    json.member("first_event_ns", stream->first).member("last_event_ns", stream->last);
    json.member("longest_gap_ns", stream->longest_gap).close('}');
}

void write_genai(JsonWriter& json, const request::Exchange& exchange) {
    json.key("gen_ai");
    if (exchange.genai == nullptr) {
        json.null();
        return;
    }
    const request::GenAiCall& call = *exchange.genai;
    json.open('{').member("gen_ai.operation.name", call.operation).member("gen_ai.provider.name", call.provider);
    json.member_or_null("gen_ai.request.model", call.request_model).member_or_null("gen_ai.response.model", call.response_model);
    json.member("gen_ai.usage.input_tokens", call.input_tokens).member("gen_ai.usage.output_tokens", call.output_tokens);
    json.member("gen_ai.usage.cache_read.input_tokens", call.cache_read_tokens);
    json.member("gen_ai.usage.reasoning.output_tokens", call.reasoning_tokens);
    json.key("gen_ai.response.finish_reasons").open('[');
    if (!call.finish_reason.empty()) {
        json.string(call.finish_reason);
    }
    json.close(']').member_or_null("error.type", call.error_type).member("streamed", call.streamed);
    if (call.first_token != Instant{}) {
        json.member("time_to_first_token_ns", std::max(call.first_token - exchange.sent, Duration::zero()));
    } else {
        json.key("time_to_first_token_ns").null();
    }
    json.member("first_token_ns", call.first_token).member("last_token_ns", call.last_token);
    json.member_or_null("unread", call.unread).member("attempt", call.attempt);
    write_limits(json, exchange.attributes);
    json.close('}');
}

void write_genai_line(JsonWriter& json, const analyze::GenAiLine& line) {
    json.key("gen_ai");
    if (line.calls == 0) {
        json.null();
        return;
    }
    json.open('{').member("gen_ai.operation.name", line.operation).member("gen_ai.provider.name", line.provider);
    json.key("models").open('{');
    for (const auto& [model, calls] : line.models) {
        json.member(model, calls);
    }
    json.close('}').member("models_omitted", line.models_omitted).member("calls", line.calls).member("streamed", line.streamed);
    json.member("first_tokens", line.first_tokens).member("to_first_token_sum_ns", line.to_first_token);
    json.member("to_first_token_max_ns", line.to_first_token_max).member("usage_known", line.usage_known);
    json.member("gen_ai.usage.input_tokens", line.input_tokens).member("gen_ai.usage.output_tokens", line.output_tokens);
    const double rate = line.tokens_a_second();
    rate > 0 ? json.member("tokens_a_second", rate) : json.key("tokens_a_second").null();
    json.member("rate_limited", line.rate_limited).member("retries", line.retries).member("retry_wait_ns", line.retry_wait);
    json.member("retried_on_path_ns", line.failed_on_path);
    json.member("unread_compressed", line.unread_compressed).member("unread_not_captured", line.unread_not_captured);
    json.member("before_first_token_ns", line.before_first_token).member("generating_ns", line.generating).close('}');
}

}  // namespace timesink::report
