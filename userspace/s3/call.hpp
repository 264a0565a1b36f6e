#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace timesink::s3 {

/// The parts of an HTTP request that say whether it is one of S3's, and which. Views; not owned.
struct Request {
    std::string_view method;          ///< "PUT"
    std::string_view target;          ///< path and query, as sent
    std::string_view host;            ///< authority, with its port where it has one
    std::string_view signature;       ///< first word of Authorization; empty: no such field
    std::string_view signed_service;  ///< of the signature's scope; empty: not known
    std::string_view content_type;
    bool copies = false;              ///< has an x-amz-copy-source
    bool names_other_api = false;     ///< has an x-amz-target: DynamoDB, Kinesis and their kin
    bool has_content_digest = false;  ///< has an x-amz-content-sha256
};

/// What a request means for a multipart upload.
enum class Multipart : std::uint8_t { none, create, part, complete, abort };

/// Of an object, what it is about.
enum class Moves : std::uint8_t { nothing, fetches, stores };

struct Call {
    std::string operation;  ///< rpc.method: "PutObject", "GetBucketVersioning"
    std::string bucket;     ///< empty: none (ListBuckets)
    std::string key;        ///< as sent, escaped; empty: of the bucket as a whole
    std::string upload_id;  ///< of a multipart upload; empty where the request does not say it
    std::uint32_t part = 0;
    Multipart multipart = Multipart::none;
    Moves moves = Moves::nothing;
    bool presigned = false;
};

/// A key is as long as S3 allows (1,024 bytes, escaped three times that); a bucket's name has 63 characters at most. What is
/// longer is cut off.
inline constexpr std::size_t kLongestKey = 3072;

/// None: it is no request to S3, or nothing says that it is. By its signature: version 4 (in the header or presigned) for the
/// service s3, or version 2; where the signature's scope is not known, unless there are marks of another API of Amazon's. The
/// bucket is in the host (docs/report-semantics.md says which hosts) or the first part of the path. Never throws.
std::optional<Call> read_call(const Request& request);

}  // namespace timesink::s3
