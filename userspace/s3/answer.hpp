#pragma once

#include <string_view>

namespace timesink::s3 {

/// The text of the first element of that name, which must be as plain as S3's codes and ids are: letters, digits, and marks that
/// URLs have; at most kLongestText. Empty: it is not there, is cut off, or is something else. Not an XML parser: S3's answers
/// have neither attributes nor entities in these.
std::string_view element(std::string_view document, std::string_view name);
inline constexpr std::size_t kLongestText = 256;

/// The <Code> of an <Error>; empty: it is none. Errors come with status 200, too, where the answer was begun before the work was
/// done (CopyObject, CompleteMultipartUpload).
std::string_view error_code(std::string_view document);

}  // namespace timesink::s3
