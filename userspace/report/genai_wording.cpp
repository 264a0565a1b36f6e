#include "report/genai_wording.hpp"

#include "report/numbers.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

void add(std::string& text, const std::string& part) {
    text += (text.empty() ? "" : " · ") + part;
}

double mean(std::uint64_t sum, std::uint64_t count) {
    return static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace

std::string models_of(const analyze::GenAiLine& line) {
    if (line.models.empty()) {
        return "(model not seen)";
    }
    const std::size_t more = line.models.size() - 1;
    return line.models.front().first + (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

std::string wording_of(const analyze::GenAiLine& line) {
    std::string text;
    if (line.first_tokens > 0) {
        add(text, "first token " + duration(line.to_first_token / static_cast<Duration::rep>(line.first_tokens)));
    }
    if (line.usage_known > 0) {
        const std::string in = three_digits(mean(line.input_tokens, line.usage_known));
        const std::string out = three_digits(mean(line.output_tokens, line.usage_known));
        add(text, line.output_tokens > 0 ? in + " → " + out + " tokens" : in + " input tokens");
    }
    if (const double rate = line.tokens_a_second(); rate > 0) {
        add(text, three_digits(rate) + " tokens/s");
    }
    if (line.rate_limited > 0) {
        add(text, grouped(line.rate_limited) + " answered 429");
    }
    if (line.retries > 0) {
        add(text, grouped(line.retries) + " retried");
    }
    if (line.unread_compressed > 0) {
        add(text, grouped(line.unread_compressed) + " compressed, tokens not read");
    }
    if (line.unread_not_captured > 0) {
        add(text, grouped(line.unread_not_captured) + " not captured whole, tokens not read");
    }
    return text.empty() ? line.operation + ", tokens not told" : text;
}

std::string wording_of(const request::Exchange& exchange) {
    const request::GenAiCall& call = *exchange.genai;
    std::string text;
    if (call.first_token != Instant{}) {
        text += " · first token " + duration(call.first_token - exchange.sent);
    }
    if (call.input_tokens || call.output_tokens) {
        text += " · " + grouped(call.input_tokens.value_or(0)) + " → " + grouped(call.output_tokens.value_or(0)) + " tokens";
    }
    return text + (call.unread.empty() ? "" : " · tokens " + call.unread);
}

}  // namespace timesink::report
