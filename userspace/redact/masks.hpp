#pragma once

#include <string>
#include <string_view>

#include "proto/parser.hpp"

/// What may be recorded of a text: of the same length, and read by the analysis as the text itself would be. Whatever is not
/// known to be harmless is masked: letters by 'x', digits of numbers by '0'.
namespace timesink::redact {

inline constexpr char kMask = 'x';

std::string masked(std::string_view text, proto::Kept kind);

/// SQL without literals, and without what stands in comments, but for the ids that are propagated in them. `double_quotes`: texts
/// may stand in them, too (MySQL); they become texts in single ones.
std::string masked_statement(std::string_view sql, bool double_quotes);
/// A start line of HTTP, or a path: values of the query are masked, and segments of the path that are ids (request::fold_segment)
/// but for short numbers and dates.
std::string masked_target(std::string_view line);
/// "Name: value". Values stay where the analysis reads them (http1::Fields::read_of); of credentials only a scheme that is known.
std::string masked_field(std::string_view line);
/// Of a cache or queue: its parts that are ids are masked.
std::string masked_key(std::string_view key);

}  // namespace timesink::redact
