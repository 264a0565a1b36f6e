#pragma once

#include <cstdint>
#include <string>

#include "s3/call.hpp"

namespace timesink::request {

/// What an exchange with object storage (S3's API) was about. Neither keys nor upload ids are in it, only what tells them apart.
struct StorageCall {
    std::string operation;    ///< rpc.method: "PutObject"
    std::string http_method;  ///< "PUT"
    std::string bucket;       ///< aws.s3.bucket; empty: of none
    std::string key;          ///< aws.s3.key, as a shape: "jobs/{id}/{n}.png"; empty: of the bucket
    std::uint32_t part = 0;   ///< aws.s3.part_number; 0: none
    s3::Multipart multipart = s3::Multipart::none;
    s3::Moves moves = s3::Moves::nothing;
    bool presigned = false;
    std::uint64_t object = 0;  ///< equal for equal buckets and keys; never exported
    std::uint64_t upload = 0;  ///< equal for equal upload ids; 0: not known. Never exported
    std::uint64_t size = 0;    ///< bytes of the object that were moved, without what signing puts between them
    std::string error_code;    ///< S3's, of a failure; empty: none, or not captured
};

}  // namespace timesink::request
