#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/parser.hpp"

namespace timesink::request {

/// What a service hands on so that its calls can be told to belong to a request: W3C traceparent, X-Request-ID, X-Correlation-ID,
/// and the comments of sqlcommenter and its kin. All of it comes off the wire: it may be missing, malformed, or a lie.

/// Adds the ids that stand in the comments of a statement, as "db.query.comment.traceparent" and "db.query.comment.request-id".
/// Understood are `key='value'` (sqlcommenter, URL encoded) and `key:value` (marginalia). What looks like a comment inside of a
/// string literal is none.
void read_comment_ids(std::string_view sql, proto::Attributes& to);

/// The ids among the attributes of a request (inbound or outgoing), each with its kind before it, without repetitions:
/// "trace:" and the 32 digits of a trace id, "id:" and a request id. The same id gives the same text wherever it stands.
/// Not one of them: a trace id of zeros, and values shorter than kShortestId or longer than kLongestId.
std::vector<std::string> propagated_ids(const proto::Attributes& attributes);
inline constexpr std::size_t kShortestId = 6;  ///< "1" or "test" says nothing
inline constexpr std::size_t kLongestId = 200;

}  // namespace timesink::request
