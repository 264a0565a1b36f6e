#pragma once

#include <string>
#include <string_view>

#include "proto/parser.hpp"
#include "redact/digest.hpp"

/// What may be recorded of a text: of the same length, and read by the analysis as the text itself would be. Whatever is not
/// known to be harmless is masked: letters by 'x', digits of numbers by '0'.
namespace timesink::redact {

inline constexpr char kMask = 'x';

/// Ids become others of their form by the secret of the run: what is equal stays equal, what is not does not become so.
std::string masked(std::string_view text, proto::Kept kind, const Secret& secret);

/// Letters and digits by others: an id that names something in several messages.
std::string pseudonym(std::string_view text, const Secret& secret);

/// SQL without literals, and without what stands in comments, but for the ids that are propagated in them. `double_quotes`: texts
/// may stand in them, too (MySQL); they become texts in single ones.
std::string masked_statement(std::string_view sql, bool double_quotes);
/// A start line of HTTP, or a path: values of the query are masked, and segments of the path that are ids (request::fold_segment)
/// but for short numbers and dates.
std::string masked_target(std::string_view line, const Secret& secret);
/// "Name: value". Values stay where the analysis reads them (http1::Fields::read_of); of credentials only a scheme that is known.
std::string masked_field(std::string_view line);
/// Of a cache or queue: its parts that are ids are masked.
std::string masked_key(std::string_view key, const Secret& secret);

}  // namespace timesink::redact
