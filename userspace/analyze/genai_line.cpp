#include "analyze/genai_line.hpp"

#include <algorithm>
#include <cstddef>

namespace timesink::analyze {

namespace {

/// A route that lets its callers choose may see any number.
constexpr std::size_t kMostModels = 16;
/// A unit with more calls than this does not retry, it loops.
constexpr std::size_t kLookBack = 64;

void count_model(GenAiLine& line, const std::string& model, std::uint64_t calls) {
    if (model.empty()) {
        return;
    }
    const auto found =
        std::find_if(line.models.begin(), line.models.end(), [&](const auto& each) { return each.first == model; });
    if (found != line.models.end()) {
        found->second += calls;
    } else if (line.models.size() < kMostModels) {
        line.models.emplace_back(model, calls);
    } else {
        line.models_omitted += calls;
    }
    std::sort(line.models.begin(), line.models.end(), [](const auto& a, const auto& b) {
        return std::make_pair(b.second, std::string_view(a.first)) < std::make_pair(a.second, std::string_view(b.first));
    });
}

bool failed(const request::Exchange& exchange) {
    const int status = exchange.status;
    return status == 408 || status == 409 || status == 429 || status >= 500 || !exchange.error.empty() || !exchange.complete;
}

bool same_request(const request::Exchange& a, const request::Exchange& b) {
    return b.genai != nullptr && a.genai->request_digest == b.genai->request_digest && a.fingerprint == b.fingerprint;
}

}  // namespace

double GenAiLine::tokens_a_second() const {
    return rate_time <= Duration{} ? 0 : static_cast<double>(rate_tokens) * 1e9 / static_cast<double>(rate_time.count());
}

void GenAiLine::add(const GenAiLine& other) {
    if (operation.empty()) {
        operation = other.operation;
        provider = other.provider;
    }
    for (const auto& [model, count] : other.models) {
        count_model(*this, model, count);
    }
    models_omitted += other.models_omitted;
    calls += other.calls;
    streamed += other.streamed;
    first_tokens += other.first_tokens;
    to_first_token += other.to_first_token;
    to_first_token_max = std::max(to_first_token_max, other.to_first_token_max);
    usage_known += other.usage_known;
    input_tokens += other.input_tokens;
    output_tokens += other.output_tokens;
    rate_tokens += other.rate_tokens;
    rate_time += other.rate_time;
    rate_limited += other.rate_limited;
    retries += other.retries;
    retry_wait += other.retry_wait;
    failed_on_path += other.failed_on_path;
    unread_compressed += other.unread_compressed;
    unread_not_captured += other.unread_not_captured;
    before_first_token += other.before_first_token;
    generating += other.generating;
}

void add_genai(GenAiLine& line, const attribute::OwnedExchange& owned, const Attempt& attempt, Duration before_first_token) {
    const request::Exchange& exchange = owned.exchange;
    const request::GenAiCall& call = *exchange.genai;
    if (line.calls == 0) {
        line.operation = call.operation;
        line.provider = call.provider;
    }
    count_model(line, call.model(), 1);
    ++line.calls;
    line.streamed += call.streamed ? 1 : 0;
    if (call.first_token != Instant{}) {
        const Duration first = std::max(call.first_token - exchange.sent, Duration::zero());
        ++line.first_tokens;
        line.to_first_token += first;
        line.to_first_token_max = std::max(line.to_first_token_max, first);
        line.before_first_token += before_first_token;
        line.generating += owned.on_path - before_first_token;
        if (call.output_tokens.value_or(0) > 1 && call.last_token > call.first_token) {
            line.rate_tokens += *call.output_tokens - 1;
            line.rate_time += call.last_token - call.first_token;
        }
    }
    if (call.input_tokens || call.output_tokens) {
        ++line.usage_known;
        line.input_tokens += call.input_tokens.value_or(0);
        line.output_tokens += call.output_tokens.value_or(0);
    }
    line.rate_limited += exchange.status == 429 ? 1 : 0;
    line.retries += attempt.retry ? 1 : 0;
    line.retry_wait += attempt.waited;
    line.failed_on_path += attempt.retried ? owned.on_path : Duration{};
    line.unread_compressed += call.unread == "compressed" ? 1 : 0;
    line.unread_not_captured += call.unread == "not captured" ? 1 : 0;
}

void find_attempts(const std::vector<attribute::OwnedExchange>& exchanges, std::vector<Attempt>& attempts) {
    attempts.assign(exchanges.size(), {});
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
        const request::Exchange& exchange = exchanges[i].exchange;
        if (exchange.genai == nullptr) {
            continue;
        }
        for (std::size_t back = 1; back <= std::min(i, kLookBack); ++back) {
            const request::Exchange& before = exchanges[i - back].exchange;
            const bool over = before.read_end <= exchange.sent;  // also when it never was answered
            if (!same_request(exchange, before) || !over || attempts[i - back].retried) {
                continue;
            }
            if (failed(before)) {
                attempts[i].retry = attempts[i - back].retried = true;
                attempts[i].waited = before.read_end == Instant{} ? Duration{} : exchange.sent - before.read_end;
            }
            break;
        }
    }
}

}  // namespace timesink::analyze
