#pragma once

#include <string>

#include "analyze/genai_line.hpp"
#include "request/exchange.hpp"

/// What text and Markdown say of calls of language models.
namespace timesink::report {

/// "gpt-4o", "gpt-4o and 2 more"; "(model not seen)". Raw: the renderings make it safe.
std::string models_of(const analyze::GenAiLine& line);
/// "first token 812 ms · 120 → 356 tokens · 84.0 tokens/s · 3 answered 429"; means a call.
std::string wording_of(const analyze::GenAiLine& line);
/// The same of one call, each with " · " ahead. It has a genai.
std::string wording_of(const request::Exchange& exchange);

}  // namespace timesink::report
