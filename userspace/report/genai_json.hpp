#pragma once

#include "analyze/genai_line.hpp"
#include "report/json_writer.hpp"
#include "request/exchange.hpp"

/// The members that are about streams and language models; docs/report-json.md and docs/export-jsonl.md describe them.
namespace timesink::report {

/// "stream": {…}; null where it was none.
void write_stream(JsonWriter& json, const request::StreamFigures* stream);
/// "gen_ai": {…} with OpenTelemetry's names; null where it was none.
void write_genai(JsonWriter& json, const request::Exchange& exchange);
void write_genai_line(JsonWriter& json, const analyze::GenAiLine& line);

}  // namespace timesink::report
