#pragma once

#include <memory>

#include "proto/parser.hpp"

namespace timesink::proto {

/// For bytes that no parser knows (TLS, foreign protocols): a request is what flows to the server until the server answers, a
/// response what flows back until the next request. Times and sizes are right for protocols that take turns; for others it says
/// at least who was waited for. Never in the registry: it would match anything.
std::unique_ptr<Parser> make_opaque();

}  // namespace timesink::proto
